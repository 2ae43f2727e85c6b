"""Read and write COCO's run-length codes.

A run-length code lists the lengths of alternating runs of background and mask, column by column. COCO packs them into
text with five bits in each character; from the fourth length on, the difference to the length two before is stored.
Codes from files are read by `runs_of`, in numpy, because the C code of pycocotools does not check them: `runs_of`
refuses a wrong total, a negative length and an invalid character.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from ..errors import MaskError
from ..records import RLE

FIRST, LAST = ord("0"), ord("o")
_MAX_CHARACTERS = 7  # of one run length: 35 bits, more than any image has pixels
# A code of ten characters may describe billions of pixels, too many to decode. This is PIL's own limit for images.
MOST_PIXELS = 89_478_485


class ReadCode(NamedTuple):
    """The checked run lengths of a code, int64 ``(n,)``, and whether its text is what COCO's tools would write."""

    runs: np.ndarray
    is_canonical: bool


AHEAD: ContextVar[Mapping[tuple[str, int], ReadCode] | None] = ContextVar("codes_read_ahead", default=None)
"""Texts that were read already, with the number of pixels of their image; see `risbench.masks.together`."""


def runs_of(rle: Mapping[str, Any]) -> np.ndarray:
    """The checked run lengths of a code.

    Args:
        rle: ``{"size": [H, W], "counts": …}``; counts as compressed text or bytes, or as a list of lengths.

    Returns:
        int64 ``(n,)``, background first, summing to ``H * W``.

    Raises:
        MaskError: the code is malformed, with the reason.
    """
    return read(rle).runs


def read(rle: Mapping[str, Any]) -> ReadCode:
    """As `runs_of`, and whether the code is text in the one form that COCO's tools give a mask.

    Other texts may mean the same mask: with runs of length 0 in it, or with a number in more characters than it needs.
    """
    height, width = size_of(rle)
    counts = rle.get("counts")
    is_canonical = False
    if (ahead := AHEAD.get()) and isinstance(counts, str) and (found := ahead.get((counts, height * width))):
        return found
    if isinstance(counts, (str, bytes)):
        runs, is_shortest = _unpack(counts)
        is_canonical = is_shortest and isinstance(counts, str) and bool(runs[1:].all())
    elif isinstance(counts, (list, tuple, np.ndarray)):
        if not all(isinstance(run, (int, np.integer)) and not isinstance(run, bool) for run in counts):
            raise MaskError("run-length code: a length is not a whole number")
        try:
            runs = np.asarray(counts, dtype=np.int64)
        except OverflowError:
            raise MaskError("run-length code: a length is too large") from None
    else:
        raise MaskError(f"run-length code: 'counts' must be text or a list, not {type(counts).__name__}")
    if runs.size and runs.min() < 0:
        raise MaskError("run-length code: a run has a negative length")
    if runs.size and runs.max() > height * width:
        raise MaskError(f"run-length code: a run is longer than the image's {height * width} pixels")
    total = int(runs.sum())
    if total != height * width:
        raise MaskError(f"run-length code: runs cover {total} pixels, the size {height}x{width} has {height * width}")
    return ReadCode(runs, is_canonical)


def coco_tools() -> Any:
    """The COCO tools' module of masks."""
    # Imported here, so that the program starts fast; untyped, because the library's type stubs are incomplete.
    from pycocotools import mask

    return mask


def size_of(rle: Any) -> tuple[int, int]:
    """``(height, width)`` of a code; anything but two positive integers of a possible size is refused."""
    size = rle.get("size") if isinstance(rle, Mapping) else None
    if isinstance(size, (list, tuple)) and len(size) == 2:
        height, width = whole(size[0]), whole(size[1])
        if height and width and height > 0 and width > 0 and height * width <= MOST_PIXELS:
            return height, width
    raise MaskError(f"run-length code: 'size' must be [height, width], got {size!r:.60}")


def whole(value: Any) -> int | None:
    """An integer, also from a float or a text with the same value (40.0, "40"); None for anything else."""
    if type(value) is int:
        return value
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return int(value)
    if isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdigit():
        return int(value)
    return None


def _unpack(counts: str | bytes) -> tuple[np.ndarray, bool]:
    """The numbers in a text, and whether none of them has more characters than it needs."""
    try:
        raw = np.frombuffer(counts.encode("ascii") if isinstance(counts, str) else counts, dtype=np.uint8)
    except UnicodeEncodeError:
        raise MaskError("run-length code: 'counts' holds a character that is not ASCII") from None
    if raw.size == 0:
        return np.zeros(0, np.int64), False
    if raw.min() < FIRST or raw.max() > LAST:
        text = counts if isinstance(counts, str) else counts.decode("latin1")
        if text.startswith("b'") and text.endswith("'") and len(text) > 2:
            # The repr of bytes, written as text: no code contains a quotation mark, and every backslash is doubled.
            return _unpack(text[2:-1].replace("\\\\", "\\"))[0], False
        raise MaskError(
            "run-length code: 'counts' holds a character outside '0' to 'o' (bytes become text by .decode(), not str())"
        )
    bits = raw - np.uint8(FIRST)
    last = np.flatnonzero(bits < 32)
    if not last.size or last[-1] != raw.size - 1:
        raise MaskError("run-length code: 'counts' ends in the middle of a number")
    if (numbers := numbers_of(bits, last)) is None:
        raise MaskError("run-length code: a number is too long")
    values, redundant = numbers
    add_up(values)
    return values, not redundant.size


def numbers_of(bits: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The numbers of packed text, and the places of those with more characters than they need; None if one is too long.

    Args:
        bits: uint8 ``(n,)`` below 64: five bits of a number, and one that is set where more follow. Overwritten.
        last: the places of the numbers' last characters, int64 ``(m,)``, the last of all among them.
    """
    length = np.empty_like(last)
    length[0], length[1:] = last[0] + 1, last[1:] - last[:-1]
    longest = int(length.max())
    if longest > _MAX_CHARACTERS:
        return None
    # The last character of a number holds its highest five bits, of which the first is the sign.
    values = bits[last].astype(np.int64)
    values -= (values & 16) << 1
    if longest == 1:
        return values, last[:0]
    bits &= np.uint8(31)
    long = np.flatnonzero(length > 1)
    ends = last[long]
    highest, next_five = values[long], bits[ends - 1]
    # A last character that only repeats the sign of the one before it is one too many.
    redundant = long[highest + (next_five >> 4) == 0]
    found = (highest << 5) | next_five
    for step in range(2, longest):
        longer = np.flatnonzero(length[long] > step)
        found[longer] = (found[longer] << 5) | bits[ends[longer] - step]
    values[long] = found
    return values, redundant


def add_up(values: np.ndarray) -> None:
    """Make run lengths of numbers, int64 ``(n,)``, which from the fourth on are differences to the one two before."""
    if values.size > 3:
        values[1::2].cumsum(out=values[1::2])
        values[2::2].cumsum(out=values[2::2])


def pack(runs: Sequence[int] | np.ndarray, size: tuple[int, int]) -> RLE:
    """The compressed code of a list of run lengths (checked)."""
    height, width = size
    checked = runs_of({"size": [height, width], "counts": list(runs)})
    return {"size": [height, width], "counts": packed(checked, (height, width))}


def packed(runs: np.ndarray, size: tuple[int, int]) -> str:
    """The text of run lengths, int64 ``(n,)``, that are known to be right."""
    code = coco_tools().frPyObjects({"size": [*size], "counts": runs.tolist()}, *size)
    return code["counts"].decode("ascii")
