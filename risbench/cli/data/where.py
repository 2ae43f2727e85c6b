"""``risbench data where``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape

from ...datasets.where import to_get, where
from .. import options, show

_SHOWN = 3  # folders of images, of each way to have a split


@click.command("where")
@click.argument("split")
@options.data_root
@options.as_json
def command(split: str, data_root: Path | None, as_json: bool) -> None:
    """Show where risbench looks for the files of SPLIT, and where they come from."""
    wanted = where(split, data_root)
    if as_json:
        show.print_json([{**item._asdict(), "path": str(item.path)} for item in wanted])
        return
    also: list[str] = []
    for number, item in enumerate(wanted):
        # Of the many folders in which people keep COCO's images, those that are not there make one line.
        before = sum(one.what == "images" and one.choice == item.choice for one in wanted[:number])
        if item.what == "images" and not item.found and before >= _SHOWN:
            also.append(str(item.path))
            continue
        mark = "[green]found  [/]" if item.found else "[red]missing[/]"
        show.print_line(f"{mark} {item.what:11} {escape(str(item.path))}", markup=True)
        if not item.found:
            show.print_line(f"        from {item.origin}")
    if also:
        show.print_line(f"also looked in: {', '.join(also)}")
    if name := to_get(split, wanted):
        show.say(f"`risbench data get {name}` gets what is missing")
