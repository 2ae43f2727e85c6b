"""``risbench data leaks``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from ...datasets.leaks import find_leaks
from .. import options, show


@click.command("leaks")
@click.argument("splits", nargs=-1)
@options.data_root
@options.as_json
def command(splits: tuple[str, ...], data_root: Path | None, as_json: bool) -> None:
    """Find images that training and evaluation splits share (of SPLITS, or of all that are there)."""
    found = find_leaks(data_root, splits or None)
    if as_json:
        show.print_json([leak._asdict() for leak in found])
        return
    if not found:
        show.say("no shared images among the splits that are there")
        return
    table = Table()
    for column in ("seen in", "tested in", "shared images", "shared objects"):
        table.add_column(column, overflow="fold")
    for leak in found:
        objects = "?" if leak.objects is None else f"{leak.objects} of {leak.of_objects}"
        table.add_row(leak.seen, leak.tested, f"{leak.images} of {leak.of_images}", objects)
    show.out.print(table)
