"""Checks of many image files in parallel: headers by default, pixels on request."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import DataError
from ...machine import processors
from ..images import looked_for, read_header, read_image
from ..split import Split

# Headers wait for disks and networks; pixels need computing, but decoders release the interpreter lock.
_READERS = 8
_AHEAD = 512


class ImageReport(NamedTuple):
    """The result of checking one image file: its format and EXIF orientation, or its fault."""

    path: Path
    format: str
    fault: str | None = None
    absent: bool = False
    orientation: int = 1


def look_at_images(split: Split, rows: np.ndarray, deep: bool = False) -> Iterator[ImageReport]:
    """Check the files of some image rows, in the order of the rows.

    Args:
        split: the split of the images.
        rows: rows of its table.
        deep: also decode every pixel.
    """
    pool = ThreadPoolExecutor(processors() if deep else _READERS, "look")
    try:
        # In pieces, to limit the memory and the delay after Ctrl-C.
        for start in range(0, len(rows), _AHEAD):
            yield from pool.map(lambda row: _look(split, row, deep), rows[start : start + _AHEAD].tolist())
    finally:
        pool.shutdown(cancel_futures=True)


def _look(split: Split, row: int, deep: bool) -> ImageReport:
    path = split.image_files.find(split.table.image_file[row])
    size = split.table.size(row)
    try:
        header = read_header(path, size)
        if deep:
            read_image(path, size)
    except DataError as error:
        if not path.is_file():
            return ImageReport(path, "", f"{path}: no such image{looked_for(path)}; {split.entry.images_origin}", True)
        return ImageReport(path, "", str(error))
    return ImageReport(path, header.format, orientation=header.orientation)
