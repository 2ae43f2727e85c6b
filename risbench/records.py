"""The records that all other modules use: sample, box, prediction, overlap.

Coordinates are continuous pixels: the pixel in column ``c`` and row ``r`` covers ``[c, c + 1) x [r, r + 1)``, so its
centre is ``(c + 0.5, r + 0.5)`` and ``floor`` of a point names its pixel. Sizes are ``(height, width)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypedDict

import numpy as np


class RLE(TypedDict):
    """A mask as COCO writes it: ``size`` is ``[height, width]``, ``counts`` the compressed run lengths as text."""

    size: list[int]
    counts: str


class Box(NamedTuple):
    """A rectangle in pixels from ``(x0, y0)`` to ``(x1, y1)``."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Area in square pixels; 0 if ``x1 < x0`` or ``y1 < y0``."""
        return max(0.0, self.x1 - self.x0) * max(0.0, self.y1 - self.y0)


class Overlap(NamedTuple):
    """Pixel counts of a predicted and a true mask: how many in both, how many in either."""

    intersection: int
    union: int

    @property
    def iou(self) -> float:
        """Intersection over union in [0, 1]; two empty masks score 0."""
        return self.intersection / self.union if self.union else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One expression about one object in one image.

    Attributes:
        id: ``"<split>/<ref_id>/<sent_id>"``.
        image_id: the annotation's own id of the image, with its JSON type (a number for REFER).
        ref_id: the annotation's own id of the referred object.
        sent_id: the annotation's own id of the expression; in ReferIt's pickles its position in the file.
        image_path: the image file, which need not exist to score masks.
        size: ``(height, width)`` of the image.
        text: the expression.
        box: the object's box as annotated, or None when nothing is referred to.
        parts: the object's mask as run-length codes, one for each polygon or stored code; ``()`` is an expression
            without a target. Rules decide how parts combine.
        category: the object's class, or None.
        tags: other facts about the expression; only drawn scenes have some (``form``, ``ambiguous``).
    """

    id: str
    image_id: int | str
    ref_id: int | str
    sent_id: int | str
    image_path: Path
    size: tuple[int, int]
    text: str
    box: Box | None
    parts: tuple[RLE, ...]
    category: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)


class CodedMask(Protocol):
    """A mask that need not be made of pixels yet, as `risbench.masks.LazyMask`; ``numpy.asarray`` makes them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(height, width)``."""
        ...

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The pixels, bool ``(H, W)``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A method's prediction for one expression. Give a mask, a heat, or both; the rest is optional.

    Attributes:
        mask: bool ``(H, W)`` at the image's size; scored as it is. One that came as a run-length code may be a
            `risbench.masks.LazyMask`, of which ``numpy.asarray`` makes the pixels.
        heat: float ``(h, w)`` of any size. Its maximum is the point; without a mask, the rules resize and cut it.
        point: ``(x, y)`` in continuous pixels; replaces the heat's maximum.
        boxes: ``(n, 4)`` rows of x0 y0 x1 y1 in pixels, best first; only the first is scored.
    """

    mask: np.ndarray | CodedMask | None = None
    heat: np.ndarray | None = None
    point: tuple[float, float] | None = None
    boxes: np.ndarray | None = None
