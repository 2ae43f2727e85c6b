"""The meaning of a name on the command line: archives, splits whose images are needed, and the next step."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ...errors import UsageError
from .. import catalog
from ..entry import Entry

Images = Literal["split", "all", "none"]

# The archive with all images of a family of splits.
_IMAGES = {"refer": "coco-train2014", "referit": "saiapr"}
_GROUPS = {"referit": "referit-pickles"}


@dataclass(frozen=True, slots=True)
class Order:
    """The downloads for one name.

    Attributes:
        name: the canonical name.
        annotations: the archive of its annotations; None for images only and for drawn scenes.
        images: the archive of images to download; None if images are downloaded one by one or not at all.
        splits: splits whose missing images are downloaded, one by one if possible.
        singly: the set of single images; None if images exist only in an archive (then ``archive_of_images``).
        archive_of_images: the archive with the images of the splits.
        check: the splits to name in the next command.
        entry: the split's entry, if a split was named.
    """

    name: str
    annotations: str | None = None
    images: str | None = None
    splits: tuple[str, ...] = ()
    singly: str | None = None
    archive_of_images: str | None = None
    check: tuple[str, ...] = ()
    entry: Entry | None = None


def order_of(name: str, images: Images | None, archives: Iterable[str]) -> Order:
    """The downloads for a name.

    Args:
        name: an archive of the table, ``referit``, or a split.
        images: which images; None for those of a split, all of ``referit``, else none.
        archives: the names of the table.

    Raises:
        UsageError: the name is unknown; similar names are listed.
    """
    known = [*archives]
    if name.startswith("refcocoplus"):
        name = name.replace("refcocoplus", "refcoco+", 1)
    if name in known and name not in (*_folders(), *_GROUPS.values()):
        return Order(name, images=name)
    if name in known or name in _GROUPS:
        return _set_order(name, images or ("all" if name in _GROUPS else "none"))
    if name not in catalog.names():
        near = difflib.get_close_matches(name.lower(), [*known, *_GROUPS, *catalog.names()], n=4, cutoff=0.6)
        hint = f"near names: {', '.join(near)}" if near else f"known: {', '.join([*known, *_GROUPS])}, and every split"
        raise UsageError(f"no data set is named {name!r:.60}; {hint}")
    entry = catalog.find(name)
    if entry.family == "drawn":
        return Order(name, check=(name,), entry=entry)
    pickles = entry.pickle is not None
    return _with_images(
        Order(name, "referit-pickles" if pickles else entry.folder, check=(name,), entry=entry),
        entry.family,
        images or "split",
        (name,),
    )


def _folders() -> set[str]:
    return {catalog.find(name).folder for name in catalog.names() if catalog.find(name).family != "drawn"}


def _set_order(name: str, images: Images) -> Order:
    entries = [catalog.find(split) for split in catalog.names()]
    if name in (*_GROUPS, *_GROUPS.values()):
        splits = tuple(entry.name for entry in entries if entry.pickle is not None)
        return _with_images(Order(name, _GROUPS.get(name, name), check=splits), "referit", images, splits)
    found = [entry for entry in entries if entry.folder == name]
    splits = tuple(entry.name for entry in found)
    return _with_images(Order(name, name, check=splits), found[0].family, images, splits)


def _with_images(order: Order, family: str, images: Images, splits: tuple[str, ...]) -> Order:
    archive = _IMAGES[family]
    if images == "none":
        return order
    if images == "all":
        return replace(order, images=archive)
    singly = "train2014" if archive == "coco-train2014" else None
    return replace(order, splits=splits, singly=singly, archive_of_images=archive)
