"""What the training looks at: images, boxes and expressions. The masks of the annotation are never read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from risbench import DataError, Split
from risbench.records import Box

CONTEXT = 0.35  # of the box's longer side, on each side of the box
LEAST_CONTEXT = 8  # pixels


@dataclass(frozen=True, slots=True)
class BoxedObject:
    """An object that expressions refer to, as box supervision knows it.

    Attributes:
        name: of its pseudo mask, ``<index>_<image>``.
        image_id: the annotation's id of the image.
        image_path: the image file.
        size: ``(height, width)`` of the image.
        box: as annotated.
    """

    name: str
    image_id: int | str
    image_path: Path
    size: tuple[int, int]
    box: Box


def boxed_objects(split: Split) -> list[BoxedObject]:
    """The objects of a split's refs that have sentences, in the order of :class:`tris_model.train.Refs`.

    Raises:
        DataError: an expression refers to nothing, so it has no box to learn from.
    """
    found: dict[object, BoxedObject] = {}
    for sample in split:
        if sample.ref_id in found:
            continue
        if sample.box is None:
            raise DataError(f"{sample.id} has no box, and cts_style learns from boxes; leave such expressions out")
        name = f"{len(found)}_{sample.image_path.stem}"
        found[sample.ref_id] = BoxedObject(name, sample.image_id, sample.image_path, sample.size, sample.box)
    return list(found.values())


def pixels_of(box: Sequence[float], size: tuple[int, int]) -> tuple[slice, slice]:
    """The rows and columns that a box covers, at least one of each, within the image.

    Args:
        box: x0 y0 x1 y1 in pixels, as annotated.
        size: ``(height, width)`` of the image.

    >>> pixels_of((1.2, 0.0, 3.7, 9.0), (5, 8))
    (slice(0, 5, None), slice(1, 4, None))
    """
    height, width = size
    x0, y0, x1, y1 = box
    left, top = (min(max(round(near), 0), side - 1) for near, side in ((x0, width), (y0, height)))
    right = min(max(round(x1), left + 1), width)
    bottom = min(max(round(y1), top + 1), height)
    return slice(top, bottom), slice(left, right)


@dataclass(frozen=True, slots=True)
class BoxWindow:
    """A part of an image: a box with the background round it.

    Attributes:
        rows, columns: of the image.
        inside: bool ``(h, w)``: the window's pixels that the box covers.
    """

    rows: slice
    columns: slice
    inside: np.ndarray

    def of(self, image: np.ndarray) -> np.ndarray:
        """The window of an image ``(H, W, …)``."""
        return image[self.rows, self.columns]

    def back(self, part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """``(…, h, w)`` of the window at its place in an image that is 0 elsewhere: ``(…, H, W)``."""
        whole = np.zeros((*part.shape[:-2], *size), part.dtype)
        whole[..., self.rows, self.columns] = part
        return whole


def window_round(box: Sequence[float], size: tuple[int, int], context: float = CONTEXT) -> BoxWindow:
    """A box with some of the image round it.

    Args:
        box: x0 y0 x1 y1 in pixels.
        size: ``(height, width)`` of the image.
        context: how much is added on each side, in lengths of the box's longer side; at least 8 pixels.
    """
    rows, columns = pixels_of(box, size)
    longer = max(rows.stop - rows.start, columns.stop - columns.start)
    more = max(LEAST_CONTEXT, round(context * longer))
    wide = [
        slice(max(0, part.start - more), min(side, part.stop + more))
        for part, side in zip((rows, columns), size, strict=True)
    ]
    inside = np.zeros(size, bool)
    inside[rows, columns] = True
    return BoxWindow(wide[0], wide[1], inside[wide[0], wide[1]].copy())
