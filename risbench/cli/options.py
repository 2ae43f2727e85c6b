"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import plugins
from ..datasets.load import load_split
from ..errors import RisbenchError, UsageError
from ..io import reading
from ..plain import counted
from ..results.run import Run
from ..running.workers import WORTH, workers_of
from ..statistics.interval_text import INTERVAL_FORMS, PLUS_MINUS
from . import show

if TYPE_CHECKING:
    from ..datasets.split import Split

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

data_root: Decorator = click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    help="Folder of the data [default: $RISBENCH_DATA, else the user data folder].",
)
as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout.")
rules: Decorator = click.option("--rules", default="tris", show_default=True, help="Evaluation rules: `list rules`.")
threshold: Decorator = click.option(
    "--threshold", type=float, help="Cut heats at this value [default: the rules' own]."
)
out: Decorator = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run folder; an unfinished one is continued [default: a new folder below runs/].",
)
metrics: Decorator = click.option(
    "--metrics",
    callback=lambda ctx, param, value: _known(value),
    help="What to print, e.g. mIoU,P@0.5,PointM [default: all].",
)
workers: Decorator = click.option(
    "--workers",
    default="auto",
    show_default=True,
    callback=lambda ctx, param, value: workers_of(value),
    help=f"Processes that score; 0 is one thread. auto: all processors that a method leaves, from {WORTH:,} "
    "expressions on.",
)
_truth: Decorator = click.option(
    "--truth",
    type=click.Path(path_type=Path, dir_okay=False),
    help='Use the masks of this JSON as truth: [{"ref_id" or "ann_id": ID, "segmentation": RLE or polygons}, ...], '
    'e.g. [{"ref_id": 17, "segmentation": {"size": [2, 3], "counts": [1, 4, 1]}}], {"ref_id": {"17": RLE}}, or COCO\'s '
    "instances.json. Objects that it does not name keep their annotated masks.",
)
_truth_only: Decorator = click.option(
    "--truth-only", is_flag=True, help="With --truth: leave out expressions whose object it does not name."
)
caption: Decorator = click.option("--caption", help="latex: a caption, printed as you write it.")
label: Decorator = click.option("--label", help="latex: the caption's label, e.g. tab:results.")
settings: Decorator = click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option, may be repeated: `list methods NAME` and `list recipes NAME` show them.",
)
board: Decorator = click.option(
    "--board",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the board [default: the one that came with risbench].",
)


class _IntervalsOption(click.Option):
    """``--intervals``, alone or with the name of a form; what follows it otherwise is an argument of its own."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        parse = parser.parse_args

        def parse_args(args: list[str]) -> Any:
            words = zip(args, [*args[1:], ""], strict=True) if args else ()
            alone = f"--intervals={PLUS_MINUS}"
            return parse(
                args=[alone if word == "--intervals" and then not in INTERVAL_FORMS else word for word, then in words]
            )

        parser.parse_args = parse_args


intervals: Decorator = click.option(
    "--intervals",
    cls=_IntervalsOption,
    type=click.Choice(INTERVAL_FORMS),
    metavar="[pm|low-high]",
    help="95 % intervals behind the figures: pm for +/-, low-high for both ends [default: none; alone: pm].",
)


def truth(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--truth FILE`` and ``--truth-only``, for `scored_on`."""
    return _truth(_truth_only(function))


def refuse_missing(predictions: Path | None = None, truth: Path | None = None) -> None:
    """Refuse missing files at once, before minutes are spent on drawing scenes.

    Raises:
        UsageError: the predictions do not exist.
        DataError: the truth file does not exist.
    """
    if predictions is not None and not os.path.lexists(predictions):
        raise UsageError(f"{predictions} does not exist")
    if truth is not None:
        reading.size_of_file(truth, reading.ANNOTATION_BYTES, "a truth file")


def loaded_split(name: str, root: Path | None, truth: Path | None, only: bool, given: Path | None = None) -> Split:
    """The split of a command, drawn first where that is needed, with the masks of ``--truth``; see `scored_on`."""
    with show.counting("drawing scenes") as progress:
        split = load_split(name, root, progress)
    return scored_on(split, truth, only, given)


def scored_on(split: Split, file: Path | None, only: bool, given: Path | None = None) -> Split:
    """The split with the masks of ``--truth``; prints how many masks they replace.

    Args:
        split: with the annotated masks.
        file: the truth file, or None.
        only: leave out expressions whose object the file does not name.
        given: the predictions. If they are a run scored with a truth file and ``file`` is None, a message says so.

    Raises:
        UsageError: ``--truth-only`` without ``--truth``.
    """
    if file is None:
        if only:
            raise UsageError("--truth-only needs --truth FILE")
        with suppress(RisbenchError):
            if given is not None and (before := Run.load(given).about.truth) is not None:
                show.say(f"{given} was scored with the truth of {before.file}; this uses the annotated masks")
        return split
    found = split.with_truth(file, only)
    assert found.truth is not None
    message = f"truth: {file.name} gives the masks of {found.truth.replaces} of {counted(len(split), 'expression')}"
    if found.truth.kept:
        message += f"; the other {found.truth.kept} " + ("are left out" if only else "keep their annotated masks")
    if found.truth.elsewhere:
        message += f"; {counted(found.truth.elsewhere, 'entry is', 'entries are')} about images of other splits"
    show.say(message)
    return found


def own_board(*, to_write: bool = False) -> Path:
    """The board that comes with this program.

    Raises:
        UsageError: it is to be written, but this is an installed package and not a checkout.
    """
    folder: Path = plugins.load(plugins.BOARDS, "folder")()
    if to_write and not (folder.parent.parent / "pyproject.toml").is_file():
        raise UsageError("this is not a checkout of risbench: give --board DIR")
    return folder


def _known(metrics: str | None) -> str | None:
    """The list unchanged, after every name in it was checked: a typo is found before a long run, not after it."""
    from ..metrics.metric_names import parse_all

    parse_all(metrics)
    return metrics


def options_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping.

    Raises:
        UsageError: one without ``=``, or a key given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {pair}: write KEY=VALUE")
        if key in found:
            raise UsageError(f"--set {key} is given twice")
        found[key] = value
    return found


def shard_of(text: str | None) -> tuple[int, int] | None:
    """``I/N`` as two numbers.

    Raises:
        UsageError: anything else.
    """
    if text is None:
        return None
    number, slash, count = text.partition("/")
    if not slash or not number.isdecimal() or not count.isdecimal() or int(number) >= int(count):
        raise UsageError(f"--shard {text}: write I/N with I from 0 to N-1")
    return int(number), int(count)
