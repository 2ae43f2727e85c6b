"""Convert masks to and from COCO's run-length encoding (RLE).

A mask is bool ``(H, W)``. A run-length code lists the lengths of alternating runs of background and mask, column by
column. COCO packs them into text with five bits in each character; from the third length on, the difference to the
length two before is stored. Codes from files are read by `runs_of`, in numpy, because the C code of pycocotools does
not check them: `runs_of` refuses a wrong total, a negative length and an invalid character.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .errors import MaskError
from .records import RLE, Box

_MAX_CHARACTERS = 7  # of one run length: 35 bits, more than any image has pixels
# A code of ten characters may describe billions of pixels, too many to decode. This is PIL's own limit for images.
MOST_PIXELS = 89_478_485


def runs_of(rle: Mapping[str, Any]) -> np.ndarray:
    """The checked run lengths of a code.

    Args:
        rle: ``{"size": [H, W], "counts": …}``; counts as compressed text or bytes, or as a list of lengths.

    Returns:
        int64 ``(n,)``, background first, summing to ``H * W``.

    Raises:
        MaskError: the code is malformed, with the reason.
    """
    height, width = size_of(rle)
    counts = rle.get("counts")
    if isinstance(counts, (str, bytes)):
        runs = _unpack(counts)
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
    return runs


def _coco() -> Any:
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


def _unpack(counts: str | bytes) -> np.ndarray:
    try:
        raw = np.frombuffer(counts.encode("ascii") if isinstance(counts, str) else counts, dtype=np.uint8)
    except UnicodeEncodeError:
        raise MaskError("run-length code: 'counts' holds a character that is not ASCII") from None
    if raw.size == 0:
        return np.zeros(0, np.int64)
    if raw.min() < 48 or raw.max() > 111:
        text = counts if isinstance(counts, str) else counts.decode("latin1")
        if text.startswith("b'") and text.endswith("'") and len(text) > 2:
            # The repr of bytes, written as text: no code contains a quotation mark, and every backslash is doubled.
            return _unpack(text[2:-1].replace("\\\\", "\\"))
        raise MaskError(
            "run-length code: 'counts' holds a character outside '0' to 'o' (bytes become text by .decode(), not str())"
        )
    bits = (raw - 48).astype(np.int64)
    is_last = bits < 32
    if not is_last[-1]:
        raise MaskError("run-length code: 'counts' ends in the middle of a number")
    if is_last.all():
        values = bits
        sign_bits = bits
        shift_after = 5
    else:
        last = np.flatnonzero(is_last)
        first = np.concatenate(([0], last[:-1] + 1))
        length = last - first + 1
        if int(length.max()) > _MAX_CHARACTERS:
            raise MaskError("run-length code: a number is too long")
        place = np.arange(raw.size) - np.repeat(first, length)
        values = np.add.reduceat((bits & 31) << (5 * place), first)
        sign_bits = bits[last]
        shift_after = 5 * length
    values = values - np.where(sign_bits & 16, np.int64(1) << np.asarray(shift_after, np.int64), 0)
    if values.size > 3:
        values[1::2] = np.cumsum(values[1::2])
        values[2::2] = np.cumsum(values[2::2])
    return values


def decode(rle: Mapping[str, Any]) -> np.ndarray:
    """The mask of a checked code: bool ``(H, W)``, row-major."""
    import cv2

    height, width = size_of(rle)
    runs = runs_of(rle)
    ink = np.zeros(runs.size, dtype=np.uint8)
    ink[1::2] = 1
    # Codes run down the columns; OpenCV turns bytes twice as fast as numpy does.
    return cv2.transpose(np.repeat(ink, runs).reshape(width, height)).reshape(height, width).view(np.bool_)


def encode(mask: np.ndarray) -> RLE:
    """The code of a bool ``(H, W)`` mask."""
    import cv2

    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise MaskError(f"a mask is bool (H, W), got {mask.dtype} {mask.shape}")
    height, width = mask.shape
    # Column by column, as the C code reads it; OpenCV turns bytes twice as fast as numpy does.
    columns = (
        cv2.transpose(mask.view(np.uint8)).reshape(width, height) if mask.size else np.zeros((width, height), "u1")
    )
    packed = _coco().encode(columns.T)
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": packed["counts"].decode("ascii")}


def pack(runs: Sequence[int] | np.ndarray, size: tuple[int, int]) -> RLE:
    """The compressed code of a list of run lengths (checked)."""
    coco = _coco()
    height, width = size
    checked = runs_of({"size": [height, width], "counts": list(runs)})
    packed = coco.frPyObjects({"size": [height, width], "counts": checked.tolist()}, height, width)
    return {"size": [height, width], "counts": packed["counts"].decode("ascii")}


def parts_of(segmentation: Any, size: tuple[int, int]) -> tuple[RLE, ...]:
    """An annotation's segmentation in any of its forms, as one code for each part.

    Args:
        segmentation: a list of polygons ``[x, y, x, y, …]``; one RLE dict, either compressed or with a list of lengths
            (as for a crowd); a list of RLE dicts; or an empty value, which means an object without a mask.
        size: ``(height, width)`` of the image.

    Raises:
        MaskError: it has another form, or its size is not the image's.
    """
    if not segmentation:
        return ()
    items = segmentation if isinstance(segmentation, (list, tuple)) else [segmentation]
    if all(isinstance(item, dict) for item in items):
        return tuple(_stored(item, size) for item in items)
    return rasterise(items, size)


def _stored(rle: Any, size: tuple[int, int]) -> RLE:
    if size_of(rle) != tuple(size):
        raise MaskError(f"run-length code of size {size_of(rle)} in an image of size {tuple(size)}")
    counts = rle.get("counts")
    runs = runs_of(rle)
    if isinstance(counts, bytes):
        counts = counts.decode("ascii")
    if isinstance(counts, str) and not counts.startswith("b'"):
        return {"size": [*size], "counts": counts}
    return pack(runs, size)


def rasterise(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> tuple[RLE, ...]:
    """One code for each polygon ``[x, y, x, y, …]``, filled as the COCO tools fill it.

    An odd last number is ignored, and a polygon of fewer than three corners covers no pixel, as in pycocotools. In
    pycocotools the first polygon decides how all are read (four numbers are a box, fewer raise an error); here each
    polygon is read on its own.

    Raises:
        MaskError: a polygon is not a list of numbers, or has a corner far outside the image.
    """
    coco = _coco()
    height, width = size
    for polygon in polygons:
        if not isinstance(polygon, (list, tuple, np.ndarray)):
            raise MaskError(f"a polygon must be a list of numbers, got {type(polygon).__name__}")
        if not len(polygon):
            continue
        try:
            corners = np.asarray(polygon)
        except (TypeError, ValueError, OverflowError):
            corners = np.asarray(None)
        # Without this check numpy would convert texts to floats.
        if corners.dtype.kind not in "iuf":
            raise MaskError("a polygon holds something that is not a number")
        corners = corners.astype(np.float64)  # as an integer, the smallest one has no absolute value
        # The C code follows every edge pixel by pixel, which would never end for a corner far outside.
        if corners.ndim != 1 or not np.isfinite(corners).all() or np.abs(corners).max() > 4 * (height + width) + 1000:
            raise MaskError("a polygon has a corner far outside the image")
    whole = [list(map(float, polygon[: len(polygon) // 2 * 2])) for polygon in polygons if len(polygon) >= 6]
    packed = iter(coco.frPyObjects(whole, height, width) if whole else ())
    counts = [next(packed)["counts"].decode("ascii") if len(polygon) >= 6 else None for polygon in polygons]
    empty = pack([height * width], size)["counts"] if None in counts else ""
    return tuple({"size": [height, width], "counts": empty if count is None else count} for count in counts)


def union_of(parts: Sequence[RLE], size: tuple[int, int]) -> np.ndarray:
    """The mask covered by any part: bool ``(H, W)``."""
    covered = np.zeros(size, dtype=bool)
    for part in parts:
        covered |= decode(part)
    return covered


def at_size(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at an image's size by the nearest pixel; rules with a size of their own (``lavt``) store it at that size.

    Args:
        mask: bool ``(h, w)``.
        size: ``(height, width)`` of the image.
    """
    if mask.shape == size:
        return mask
    rows = (np.arange(size[0]) * mask.shape[0]) // size[0]
    columns = (np.arange(size[1]) * mask.shape[1]) // size[1]
    return mask[rows][:, columns]


def box_of(mask: np.ndarray) -> Box | None:
    """The smallest box round a mask, half-open at its right and lower side; None for an empty mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def box_round(parts: Sequence[RLE]) -> Box | None:
    """The smallest box round all parts, computed from the codes without decoding; None if all are empty."""
    sides = [found for part in parts if (found := _sides(part)) is not None]
    if not sides:
        return None
    near, far = np.array(sides)[:, :2].min(axis=0), np.array(sides)[:, 2:].max(axis=0)
    return Box(float(near[0]), float(near[1]), float(far[0]), float(far[1]))


def _sides(part: RLE) -> tuple[int, int, int, int] | None:
    height, _ = size_of(part)
    ends = np.cumsum(runs_of(part))
    stops = ends[1::2]
    starts = ends[0::2][: stops.size]
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not starts.size:
        return None
    left, right = int(starts[0]) // height, (int(stops[-1]) - 1) // height + 1
    tops, bottoms = starts % height, (stops - 1) % height + 1
    # A run that continues in the next column covers the bottom of one column and the top of the next.
    if (starts // height != (stops - 1) // height).any():
        return left, 0, right, height
    return left, int(tops.min()), right, int(bottoms.max())
