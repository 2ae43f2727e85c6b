"""The parts of an annotated object as run-length codes, from polygons or stored codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import MaskError
from ..records import RLE, Box
from . import codes
from .codes import pack, runs_of, size_of


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
    coco = codes.coco_tools()
    height, width = size
    whole: list[list[float]] = []
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
        # A comparison with NaN is false.
        if corners.ndim != 1 or not np.abs(corners).max() <= farthest_corner(height, width):
            raise MaskError("a polygon has a corner far outside the image")
        if len(corners) >= 6:
            whole.append(corners[: len(corners) // 2 * 2].tolist())
    packed = iter(coco.frPyObjects(whole, height, width) if whole else ())
    counts = [next(packed)["counts"].decode("ascii") if len(polygon) >= 6 else None for polygon in polygons]
    empty = pack([height * width], size)["counts"] if None in counts else ""
    return tuple({"size": [height, width], "counts": empty if count is None else count} for count in counts)


def farthest_corner(height: Any, width: Any) -> Any:
    """The largest coordinate that a corner may have in an image, or in each of some images; numbers or arrays.

    The C code follows every edge pixel by pixel, which would never end for a corner far outside.
    """
    return 4 * (height + width) + 1000


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
