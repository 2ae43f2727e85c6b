"""Where the files of a split are expected, which of them exist, and where the others can be downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..io import places
from .catalog import find, names
from .entry import DRAWN_ORIGIN, Entry
from .layout import layouts
from .load import is_to_be_drawn


class WantedFile(NamedTuple):
    """A file or folder that a split needs.

    Attributes:
        path: its path.
        found: whether it exists.
        what: ``annotations`` or ``images``.
        choice: files with the same number belong together; each number is another layout of the same split.
        origin: where to get it.
    """

    path: Path
    found: bool
    what: str
    choice: int
    origin: str


def where(name: str, data_root: str | Path | None = None) -> list[WantedFile]:
    """All files and folders that are searched for a split, the preferred layout first.

    Raises:
        UsageError: there is no such split.
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


def state_of(entry: Entry, data_root: str | Path | None = None) -> str:
    """Whether the files of a split are there, in words that begin with ``here``, ``partial``, ``absent`` or ``drawn``.

    Only names of files are looked at; `data check` counts and reads what is in them.
    """
    if entry.family == "drawn":
        return "drawn at first use" if is_to_be_drawn(entry) else "here"
    states = []
    for layout in layouts(entry, places.data_root(data_root)):
        annotated = [file.is_file() for file in layout.files]
        pictured = any(_has_files(folder) for folder in layout.folders)
        if all(annotated):
            states.append("here" if pictured else "partial: no images")
        elif layout.files[0].is_file():  # the file of refs; the other one may be there for other splits
            missing = layout.files[annotated.index(False)].name
            states.append(f"partial: no {missing}")
    return min(states, key=len, default="absent")  # `here` is the shortest


def _has_files(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return False


def to_get(name: str, wanted: list[WantedFile]) -> str | None:
    """The name for `data get`; None if some layout of the split exists, or it cannot be downloaded.

    A layout exists if all its annotation files and a folder of images exist.
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
