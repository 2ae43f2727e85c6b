"""A safe reader of ``.npy`` files: it runs no code, and allocates no more memory than the file has bytes."""

from __future__ import annotations

import math
import re
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from ..io.wrong_content import fault_in
from ..masks import MOST_PIXELS

_MAGIC = b"\x93NUMPY"
_MOST = 1 << 16  # of a header; numpy writes some hundred bytes
_PARTS = {
    "descr": re.compile(r"[\"']descr[\"']\s*:\s*[\"']([<>|=]?(?:f[248]|[iu][1248]|b1))[\"']"),
    "fortran_order": re.compile(r"[\"']fortran_order[\"']\s*:\s*(True|False)\b"),
    "shape": re.compile(r"[\"']shape[\"']\s*:\s*\(([\dL, ]*)\)"),
}

_SIDE = re.compile(r"\d{1,18}L?")


def read_npy(stream: BinaryIO, length: int, where: str) -> np.ndarray:
    """The array of a ``.npy`` file of versions 1 to 3.

    Args:
        stream: the file, at its start.
        length: its number of bytes.
        where: its name, for error messages.

    Raises:
        DataError: it is not such a file, its values are not numbers, or its size differs from what its header says.
    """
    start = stream.read(12)
    wide = start[6:7] != b"\1"
    if start[:6] != _MAGIC or start[6:7] not in (b"\1", b"\2", b"\3"):
        kind = fault_in(start + stream.read(500)) or "another kind of file"
        raise DataError(f"{where}: not a readable .npy of numbers: {kind}")
    size = int.from_bytes(start[8 : 12 if wide else 10], "little")
    begin = 12 if wide else 10
    if size > _MOST:
        raise DataError(f"{where}: not a readable .npy of numbers: its header has {size} bytes")
    stream.seek(begin)
    header = stream.read(size)
    found = {key: pattern.findall(header.decode("latin1")) for key, pattern in _PARTS.items()}
    if len(header) < size or any(len(values) != 1 for values in found.values()):
        raise DataError(f"{where}: not a readable .npy of numbers: its header is {header.decode('latin1')!r:.100}")
    sides = [side.strip() for side in found["shape"][0].split(",")]
    if not all(_SIDE.fullmatch(side) for side in sides[:-1] + sides[-1:] * bool(sides[-1])):
        raise DataError(f"{where}: not a readable .npy of numbers: its shape is ({found['shape'][0]:.60})")
    shape = tuple(int(side.rstrip("L")) for side in sides if side)
    dtype = np.dtype(found["descr"][0])
    count = math.prod(shape)
    if count > MOST_PIXELS:
        raise DataError(f"{where}: not a readable .npy of numbers: more values ({count:.3g}) than any image has pixels")
    if begin + size + count * dtype.itemsize != length or (count == 0 and len(shape) > 2):
        raise DataError(
            f"{where}: not a readable .npy of numbers: its header announces {found['shape'][0]:.60} values of "
            f"{dtype.itemsize} bytes, the file has {length - begin - size} bytes of them"
        )
    flat = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
    return flat.reshape(shape, order="F" if found["fortran_order"][0] == "True" else "C").copy()
