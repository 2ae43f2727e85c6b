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
    """Find what training and evaluation splits share.

    Without SPLITS: images and objects that splits of different roles share, of all that are there. With one: those that
    it shares with others. With two or more: every pair, and its expressions, too.

    Texts are equal but for case and punctuation; nearly equal if the words that they share make up four fifths of both
    (articles and order aside), looked for about shared images.
    """
    if images is not None:
        if not splits:
            raise UsageError("--images needs the SPLITS to be tested on")
        found = find_listed(read_image_list(images), splits, data_root)
    else:
        with show.counting("comparing expressions") as told:
            found = find_leaks(data_root, splits or None, told)
    found = with_standing(found, splits or None)
    if as_json:
        show.print_json([_record(leak) for leak in found])
        return
    looked = [leak for leak in found if leak.images is not None or leak.texts is not None]
    if not looked:
        show.say("no shared images among the splits that are there")
    elif looked[0].texts is not None:
        for leak in looked:
            _print_pair(leak)
    else:
        _print_table(looked)
    for told in dict.fromkeys(leak.standing for leak in found if leak.standing):
        _say(f"standing warning: {told}")


def _record(leak: Leak) -> dict[str, Any]:
    texts = None if leak.texts is None else leak.texts._asdict()
    listed = None if leak.listed is None else {"known": leak.listed[0], "entries": leak.listed[1]}
    return {**asdict(leak), "texts": texts, "listed": listed}


def _print_table(leaks: list[Leak]) -> None:
    table = Table()
    for column in ("seen in", "tested in", "shared images", "shared objects"):
        table.add_column(column, overflow="fold")
    for leak in leaks:
        objects = "?" if leak.objects is None else f"{leak.objects} of {leak.of_objects}"
        table.add_row(leak.seen, leak.tested, f"{leak.images} of {leak.of_images}", objects)
    show.print_table(table)


def _print_pair(leak: Leak) -> None:
    _say(f"seen in {leak.seen}, tested in {leak.tested}:")
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
        _say(f"            {texts.equal} of these stand there word for word about the same image{equal}")
        _say(f"            {texts.near} more nearly{near}")
    if texts.anywhere is not None:
        _say(f"  anywhere  {texts.anywhere} of {texts.of} texts stand there about any image (short ones by chance)")


def _of_object(count: int | None) -> str:
    return "" if count is None else f", {count} about the same object"


def _say(line: str) -> None:
    show.print_line(line)
