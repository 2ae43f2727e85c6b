"""Read a user's own image in the orientation that viewers show, with notes about changes.

Images of data sets are read without rotation (`risbench.datasets.images`), because their boxes and masks were drawn on
stored pixels. A photograph from a phone is stored in the orientation of the sensor, and its EXIF data say how to rotate
it.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from .images import read_image

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_ORIENTATION = 0x0112
# Formats of phones that PIL cannot read by itself: an ISO container that names its brand.
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF"}


class Picture(NamedTuple):
    """The pixels as shown, uint8 ``(H, W, 3)``, and notes for the user, one sentence each."""

    pixels: np.ndarray
    notes: tuple[str, ...]


def read_upright(path: str | Path) -> Picture:
    """Read an image as viewers show it.

    Args:
        path: see `read_image`.

    Raises:
        UsageError: the path is a URL or a folder.
        DataError: the file does not exist or cannot be read; the message says what to do.
    """
    from PIL import Image

    if _ADDRESS.match(str(path)):
        raise UsageError(f"{path} is a URL: download the picture first (curl -O, wget) and give the file")
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give one picture; `risbench run` predicts a whole split")
    if kind := _container(path):
        raise DataError(f"{path} is {kind}, which is not supported: save it as JPEG or PNG first")
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of damaged EXIF
        pixels = read_image(path)
        with Image.open(path) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
            if getattr(image, "n_frames", 1) > 1:
                notes.append(f"{path} is animated or has several pages: the first one is used")
            if "A" in image.getbands() or "transparency" in image.info:
                notes.append(f"{path} is partly transparent: transparency is ignored")
            is_turned = image.format == "TIFF"  # PIL turns these itself
    if orientation in range(2, 9):
        notes.insert(
            0, f"{path} is rotated by its EXIF orientation {orientation}: predictions are for the rotated image"
        )
        pixels = pixels if is_turned else turned(pixels, orientation)
    return Picture(pixels, tuple(notes))


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate or mirror pixels by an EXIF orientation, 1 to 8; other numbers change nothing."""
    found = pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
    if orientation in (3, 4, 7, 8):
        found = found[::-1]
    if orientation in (2, 3, 6, 7):
        found = found[:, ::-1]
    return np.ascontiguousarray(found)


def _container(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return None  # `read_image` says what is wrong
    return _BRANDS.get(start[8:12]) if start[4:8] == b"ftyp" else None
