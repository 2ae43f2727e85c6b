"""``risbench report``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .. import plugins
from ..errors import UsageError
from ..io.places import notes_beside
from . import options, show
from .folders import RunPath, logs_in, runs_in

_DRAWN = (".png", ".pdf", ".svg")
# What writes a file of an ending, where --as does not name a renderer.
_WRITTEN = {
    ".tex": "latex",
    ".csv": "csv",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "rows",
    ".parquet": "rows",
}


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=RunPath())
@click.option("--as", "kind", help="A renderer: `list reports` [default: by the ending of --out, else markdown].")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here [default: stdout].")
@options.metrics
@options.data_root
# The options below are passed to the renderer by name, if they were given.
@click.option(
    "--by",
    metavar="KIND",
    help="Look into runs, as a table or (with --out FILE.pdf) as a picture. Scores by length, area, category, form, "
    "position, words, siblings or ambiguous; counts by failure or iou; one run against another: pair.",
)
@click.option(
    "--no-notes", is_flag=True, help="Pictures: write the notes to FILE.notes.txt beside the picture, not into it."
)
@click.option("--columns", help="Tables: a set of columns, paper1 or paper2, instead of --metrics.")
@click.option("--mixed", is_flag=True, help="Tables: allow runs that cannot be compared, with a footnote.")
@click.option("--published", is_flag=True, help="Tables: add published figures, marked, with their sources.")
@click.option("--efficiency", is_flag=True, help="Tables: add parameters, images a second and memory.")
@options.intervals
@options.caption
@options.label
@click.option("--rows", help="grid: spread, random:SEED, worst, best, disagree or ids:ID,ID,... [default: spread].")
@click.option("--count", type=click.IntRange(1, 100), help="grid: how many rows [default: 6].")
@click.option("--heat", is_flag=True, help="grid: also show saved heats.")
@click.option("--thumbnails", help="html: `inside` the page or `beside` it [default: inside, up to 3000 images].")
@click.option(
    "--expressions",
    type=click.IntRange(1),
    help="html: about how many expressions are shown, spread evenly over the images [default: up to 30000].",
)
def command(
    runs: tuple[Path, ...],
    kind: str | None,
    out: Path | None,
    metrics: str | None,
    data_root: Path | None,
    **more: Any,
) -> None:
    """Render RUNS as a table or a picture, or export their rows. A folder that contains runs means all of them.

    Tables: markdown, latex, csv, json. `--as rows --out rows.csv` (or .jsonl, .parquet) writes every expression.
    Pictures and pages, to --out: grid and curves (.png, .pdf, .svg), html. Curves also take the folder of a training,
    or its log.jsonl, as a RUN.
    """
    kind = kind or _kind_of(runs, out, more["by"])
    render = plugins.load(plugins.REPORTS, kind)
    chosen = {key: value for key, value in more.items() if value not in (None, False, ())}
    reads_logs = "logs" in inspect.signature(render).parameters
    logs, named = logs_in(runs) if reads_logs else ([], list(runs))
    if logs:
        chosen["logs"] = logs
    _refuse_unknown(render, kind, chosen)
    text = render(
        runs_in(named) if named else [],
        out=out,
        metrics=metrics,
        data_root=data_root,
        **chosen,
    )
    if text is not None:
        show.print_data(text, kind)
    if out is not None:
        show.say(f"written: {out}")
        if more["no_notes"]:
            show.say(f"its notes: {notes_beside(out)}")


def _kind_of(runs: Sequence[Path], out: Path | None, by: str | None) -> str:
    """The renderer where none is named: the one that writes files of this ending.

    Raises:
        UsageError: two renderers draw such a picture.
    """
    suffix = "" if out is None else out.suffix.lower()
    if suffix not in _DRAWN:
        return _WRITTEN.get(suffix, "markdown")
    if by is None and logs_in(runs)[1]:
        raise UsageError(f"{out} is a picture: give --as grid, --as curves, or --by KIND")
    return "curves"


def _refuse_unknown(render: Any, kind: str, chosen: dict[str, Any]) -> None:
    accepted = inspect.signature(render).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        return
    for key in chosen:
        if key not in accepted:
            raise UsageError(f"--{key.replace('_', '-')} is not an option of --as {kind}")
