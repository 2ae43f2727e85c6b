"""A user's own picture in the orientation that a viewer shows, with notes about what was left out.

Pictures of data sets are read as they lie (`risbench.datasets.images`), because their boxes and masks were drawn on
stored pixels. A photograph from a telephone is stored as the sensor lay, and says how to turn it.
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
# Forms that telephones write and PIL cannot read by itself: an ISO container that names its brand.
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF"}


class Picture(NamedTuple):
    """The pixels as shown, uint8 ``(H, W, 3)``, and what a user should know of them, a sentence each."""

    pixels: np.ndarray
    notes: tuple[str, ...]


def read_upright(path: str | Path) -> Picture:
    """Read a picture as it is seen.

    Args:
        path: as for `read_image`.

    Raises:
        UsageError: an address on the network, or a folder.
        DataError: no file, or none that can be read, with what to do.
    """
    from PIL import Image

    if _ADDRESS.match(str(path)):
        raise UsageError(f"{path} is an address: get the picture first (curl -O, wget) and give the file")
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give one picture; `risbench run` asks about a whole split")
    if kind := _container(path):
        raise DataError(f"{path} is {kind}, which is not read: save it as JPEG or PNG first")
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of damaged EXIF
        pixels = read_image(path)
        with Image.open(path) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
            if getattr(image, "n_frames", 1) > 1:
                notes.append(f"{path} is animated or has several pages: the first is taken")
            if "A" in image.getbands() or "transparency" in image.info:
                notes.append(f"{path} is transparent in places: the colours below are taken")
            is_turned = image.format == "TIFF"  # PIL turns these itself
    if orientation in range(2, 9):
        notes.insert(
            0, f"{path} is turned as its EXIF says (orientation {orientation}): answers are about what is seen"
        )
        pixels = pixels if is_turned else turned(pixels, orientation)
    return Picture(pixels, tuple(notes))


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels turned or mirrored by one of EXIF's orientations, 1 to 8; any other number leaves them."""
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
