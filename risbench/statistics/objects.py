"""How much of its image each object covers, from its annotation: nothing is decoded, and each object is drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..datasets.split import Split
from ..errors import DataError, MaskError
from ..masks import parts_of
from ..records import RLE


def shares_of_objects(split: Split, anns: np.ndarray) -> np.ndarray:
    """The share of the image that the union of each object's parts covers: float64 ``(n,)``; NaN without a mask.

    Args:
        split: the split, whose other masks are used if it has some.
        anns: the objects' annotation rows; -1 for no object.

    Raises:
        DataError: an annotation cannot be drawn.
    """
    table = split.table
    found = np.full(len(anns), np.nan)
    for place, ann in enumerate(anns.tolist()):
        if ann < 0:
            continue
        height, width = size = table.size(int(table.ann_image[ann]))
        try:
            if split.truth is not None and ann in split.truth.masks:
                parts = split.truth.masks[ann].parts
            else:
                parts = parts_of(table.outlines.raw(ann), size)
        except MaskError as error:
            raise DataError(f"{split.sources[-1].path}: annotation {table.ann_id[ann]!r}: {error}") from None
        if parts:
            found[place] = pixels_of(parts) / (height * width)
    return found


def pixels_of(parts: Sequence[RLE]) -> int:
    """The number of pixels in the union of an object's parts, which are checked codes of one size."""
    coco = _coco()
    return int(coco.area(parts[0] if len(parts) == 1 else coco.merge(list(parts))))


def _coco() -> Any:
    # Imported here, so that the program starts fast.
    from pycocotools import mask

    return mask
