"""``risbench data leaks``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from ...datasets.audit.image_list import read_image_list
from ...datasets.audit.leaks import Leak, find_leaks, find_listed, with_standing
from ...errors import UsageError
from ...plain import counted
from .. import options, show


@click.command("leaks")
@click.argument("splits", nargs=-1)
@click.option(
    "--images",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Compare SPLITS with these training images: ids or file names, one a line, or a JSON list.",
)
@options.data_root
@options.as_json
def command(splits: tuple[str, ...], images: Path | None, data_root: Path | None, as_json: bool) -> None:
    """Find images, objects and expressions that training and evaluation splits share.

    Without SPLITS: images and objects that splits of different roles share, among all splits that are there. With one
    split: what it shares with the others. With two or more: what every pair shares, including expressions.

    Two texts are equal if they differ only in case and punctuation. They are nearly equal if the words they share are
    at least four fifths of both; articles and word order do not count. Nearly equal texts are searched only among
    those about shared images.
    """
    if images is not None:
        if not splits:
            raise UsageError("--images needs the SPLITS to be tested on")
        found = find_listed(read_image_list(images), splits, data_root)
    else:
        with show.counting("comparing expressions") as on_progress:
            found = find_leaks(data_root, splits or None, on_progress)
    found = with_standing(found, splits or None)
    if as_json:
        show.print_json([_record(leak) for leak in found])
        return
    compared = [leak for leak in found if leak.images is not None or leak.texts is not None]
    if not compared:
        show.say("no shared images among the splits that are there")
    elif compared[0].texts is not None:
        for leak in compared:
            _print_pair(leak)
    else:
        _print_table(compared)
    for warning in dict.fromkeys(leak.standing for leak in found if leak.standing):
        _say(f"standing warning: {warning}")


def _record(leak: Leak) -> dict[str, Any]:
    texts = None if leak.texts is None else leak.texts._asdict()
    listed = None if leak.listed is None else {"known": leak.listed[0], "entries": leak.listed[1]}
    fields = {**asdict(leak), "texts": texts, "listed": listed}
    return {"seen": fields.pop("trained_on"), **fields}  # the key that programs know


def _print_table(leaks: list[Leak]) -> None:
    table = Table()
    for column in ("seen in", "tested in", "shared images", "shared objects"):
        table.add_column(column, overflow="fold")
    for leak in leaks:
        objects = "?" if leak.objects is None else f"{leak.objects} of {leak.of_objects}"
        table.add_row(leak.trained_on, leak.tested, f"{leak.images} of {leak.of_images}", objects)
    show.print_table(table, keys=2)


def _print_pair(leak: Leak) -> None:
    _say(f"seen in {leak.trained_on}, tested in {leak.tested}:")
    if leak.images is None:
        _say("  images    of different collections: not compared")
    else:
        _say(f"  images    {leak.images} of {leak.of_images} are in both")
    if leak.listed is not None:
        known, entries = leak.listed
        _say(
            f"  list      {known} of its {counted(entries, 'entry is an image', 'entries are images')} of this data set"
        )
    elif leak.objects is None:
        _say("  objects   numbered differently: not compared")
    else:
        _say(f"  objects   {leak.objects} of {leak.of_objects} are in both")
    texts = leak.texts
    if texts is None:
        return
    if leak.images is not None:
        _say(f"  texts     {texts.shown} of {counted(texts.of, 'expression is', 'expressions are')} about these images")
    if leak.images and texts.equal is not None:
        equal, near = _of_object(texts.equal_object), _of_object(texts.near_object)
        _say(f"            {texts.equal} of these are there word for word, about the same image{equal}")
        _say(f"            {texts.near} more nearly{near}")
    if texts.anywhere is not None:
        _say(f"  anywhere  {texts.anywhere} of {texts.of} texts are there, about any image (short ones by chance)")


def _of_object(count: int | None) -> str:
    return "" if count is None else f", {count} about the same object"


def _say(line: str) -> None:
    show.print_line(line)
