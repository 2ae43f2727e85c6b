"""``risbench data show``."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from ... import plugins
from ...datasets.split import Split
from ...datasets.text_search import positions_of
from ...errors import UsageError
from ...plain import counted, plain
from ...records import Sample
from .. import options, show

_LONGEST = 300  # characters of an expression on the terminal; JSON and the page have the whole


@click.command("show")
@click.argument("split")
@click.option(
    "--text",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Only expressions with this in their text: a word, or a regular expression. Give it again for both.",
)
@click.option("--id", "ids", multiple=True, help="Only these expressions; an id is SPLIT/REF/SENTENCE.")
@click.option("--count", type=click.IntRange(0), default=20, show_default=True, help="At most so many; 0 for all.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the page here (.html).")
@click.option(
    "--open/--no-open",
    "opens",
    default=None,
    help="Open a page with images and true masks in a browser [default: on a terminal with a display, without --out].",
)
@options.data_root
@options.as_json
def command(
    split: str,
    patterns: tuple[str, ...],
    ids: tuple[str, ...],
    count: int,
    out: Path | None,
    opens: bool | None,
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Print expressions of SPLIT with their ids, and show them on a page with the image and the true mask.

    Upper and lower case are the same in a PATTERN. The page is one file, which needs no network.
    """
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{out}: the name must end in .html")
    loaded = options.loaded_split(split, data_root, None, False)
    found = positions_of(loaded, patterns)
    if ids:
        wanted = {loaded.sample(name).id for name in ids}
        found = [place for place in found if loaded.ids[place] in wanted]
    samples = [loaded[place] for place in (found[:count] if count else found)]
    if as_json:
        show.print_json([_record(sample) for sample in samples])
    elif samples:
        _print(samples)
    about = f"{loaded.name}: {len(found)} of its {counted(len(loaded), 'expression')}"
    if not patterns and not ids:
        about = f"{loaded.name} has {counted(len(loaded), 'expression')}"
    about += f"; the first {len(samples)} are shown" if len(samples) < len(found) else ""
    show.say(about + (" (--count 0 shows all)" if len(samples) < len(found) else ""))
    if samples:
        _page(loaded, samples, about, out, _has_display() if opens is None and out is None else bool(opens))


def _print(samples: Sequence[Sample]) -> None:
    table = Table()
    table.add_column("id", overflow="fold")
    table.add_column("category", overflow="fold")
    table.add_column("expression", overflow="fold")
    for sample in samples:
        category = "" if sample.category is None else plain(sample.category, 40)
        table.add_row(escape(plain(sample.id)), escape(category), escape(plain(sample.text, _LONGEST)))
    show.print_table(table)


def _page(split: Split, samples: Sequence[Sample], about: str, out: Path | None, opens: bool) -> None:
    """Write the page if it is wanted, and open it if that is wanted."""
    if out is None and not opens:
        show.say("a page with images and masks: --out FILE.html, or --open")
        return
    write: Callable[..., None] | None = getattr(plugins.load(plugins.REPORTS, "html"), "expressions", None)
    if write is None:
        raise UsageError("the installed report 'html' cannot show expressions: leave out --out and --open")
    page = out if out is not None else Path(tempfile.mkdtemp(prefix="risbench-")) / "expressions.html"
    write(split, samples, page, about)
    show.say(f"written: {page}")
    if opens and not webbrowser.open(page.resolve().as_uri()):
        show.say(f"no browser could be opened: open {page} yourself")


def _has_display() -> bool:
    """Whether a browser would open a window, and somebody sits before it."""
    if not sys.stdout.isatty():
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _record(sample: Sample) -> dict[str, Any]:
    return {
        "id": sample.id,
        "text": sample.text,
        "category": sample.category,
        "image_id": sample.image_id,
        "image": str(sample.image_path),
        "size": list(sample.size),
        "box": None if sample.box is None else list(sample.box),
        "tags": dict(sample.tags),
    }
