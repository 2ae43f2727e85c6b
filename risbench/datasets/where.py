"""Where the files of a split are expected, which of them exist, and where the others can be downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..io import places
from .catalog import find, names
from .entry import DRAWN_ORIGIN
from .layout import layouts


class WantedFile(NamedTuple):
    """A file or folder that was looked for.

    Attributes:
        path: where.
        found: whether it is there.
        what: ``annotations`` or ``images``.
        choice: files of one number belong together; another number is another way to have the same split.
        origin: where it comes from.
    """

    path: Path
    found: bool
    what: str
    choice: int
    origin: str


def where(name: str, data_root: str | Path | None = None) -> list[WantedFile]:
    """Every place that is looked at for a split, the preferred layout first.

    Raises:
        UsageError: no such split.
    """
    entry = find(name, data_root)
    if entry.family == "drawn":
        folder = places.cache_folder()
        return [WantedFile(folder, folder.is_dir(), "annotations", 0, DRAWN_ORIGIN)]
    wanted = []
    for choice, layout in enumerate(layouts(entry, places.data_root(data_root))):
        wanted += [WantedFile(file, file.is_file(), "annotations", choice, layout.origin) for file in layout.files]
        for folder in layout.folders:
            wanted.append(WantedFile(folder, folder.is_dir(), "images", choice, entry.images_origin))
    return wanted


def to_get(name: str, wanted: list[WantedFile]) -> str | None:
    """What `data get` is to be asked for; None if some way to have the split is there, or it cannot be got.

    A way is there with all its annotations and a folder of images.
    """
    canonical = find(name).name if name.replace("refcocoplus_", "refcoco+_", 1) in names() else None
    if canonical is None or all(item.origin == DRAWN_ORIGIN for item in wanted):
        return None
    for choice in {item.choice for item in wanted}:
        way = [item for item in wanted if item.choice == choice]
        annotated = all(item.found for item in way if item.what == "annotations")
        if annotated and any(item.found for item in way if item.what == "images"):
            return None
    return canonical
