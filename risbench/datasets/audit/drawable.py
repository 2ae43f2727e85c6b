"""Whether the annotations of a split can be used, found in seconds and before any sample is made.

A run makes samples when it reaches their images. An annotation that cannot be drawn must not end it after hours, so
all are looked at before it begins: boxes and corners in columns, and what looks odd there as a sample would use it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...masks import farthest_corner
from ..split import Split

_PIECE = 2048  # annotations whose corners are read together


def refuse_undrawable(split: Split) -> None:
    """Refuse a split with an annotation that none of its samples could use.

    Raises:
        DataError: a box or an outline cannot be used; its annotation and the file are named.
    """
    anns = np.unique(split.sample_anns)
    anns = anns[anns >= 0]
    if split.truth is not None:
        anns = anns[~np.isin(anns, np.fromiter(split.truth.masks, np.int64, len(split.truth.masks)))]
    box, codes = split.table.ann_box[anns], split.table.outlines.codes
    odd = (box[:, 2] < box[:, 0]) | (box[:, 3] < box[:, 1]) | (codes[anns + 1] > codes[anns])
    for first, far in _far_corners(split, anns):
        odd[first : first + len(far)] |= far
    for ann in anns[odd].tolist():
        split._object(ann)


def _far_corners(split: Split, anns: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """For some of the annotations at once, the place of the first and whether each may have a corner too far away."""
    table, outlines = split.table, split.table.outlines
    for first in range(0, len(anns), _PIECE):
        piece = anns[first : first + _PIECE]
        starts, ends = (outlines.corners[outlines.polygons[at]] for at in (piece, piece + 1))
        numbers = np.append(np.abs(outlines.numbers[int(starts[0]) : int(ends[-1])]), 0.0)
        # Every second of these is the largest number of an annotation; one without numbers has any.
        bounds = np.stack([starts, ends], axis=1).reshape(-1) - starts[0]
        height, width = table.image_size[table.ann_image[piece]].T.astype(np.int64)
        yield first, ~(np.maximum.reduceat(numbers, bounds)[::2] <= farthest_corner(height, width))
