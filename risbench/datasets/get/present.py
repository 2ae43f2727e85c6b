"""What is in a data root already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..catalog import find
from ..entry import Entry
from ..layout import layouts, present_layout
from ..load import load_split
from .singles import Image
from .sources import ImageMembers


def is_readable(entry: Entry, root: Path) -> bool:
    """Whether all annotation files of a split are there, in any layout."""
    try:
        present_layout(entry, root)
    except DataError:
        return False
    return True


def needed_images(splits: Sequence[str], root: Path) -> list[Image]:
    """The images of those splits whose annotations are there; each has the place where a reader will look for it."""
    found: dict[Path, Image] = {}
    for name in splits:
        if not is_readable(find(name), root):
            continue
        split = load_split(name, root)
        for row in np.unique(split.table.ref_image[split.ref_rows]).tolist():
            file = split.table.image_file[row]
            place = split.image_files.find(file)
            found[place] = Image(file, place, split.table.size(row))
    return list(found.values())


def count_of(images: ImageMembers, root: Path) -> int:
    """How many images of an archive are there, in the fullest of the folders that a reader looks into."""
    folders = {root / images.folder}
    for name in ("refcoco_val", "referit_test"):
        for way in layouts(find(name), root):
            if root / images.folder in way.folders:
                folders.update(way.folders)
    counts = [0]
    for folder in folders:
        if folder.is_dir():
            files = (*folder.iterdir(), *folder.glob("*/images/*"))
            counts.append(sum(1 for file in files if images.name.fullmatch(file.name)))
    return max(counts)
