"""A drawn scene, as it is handed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .layout import Corners


@dataclass(frozen=True, slots=True, eq=False)
class DrawnObject:
    """One object of a scene.

    Attributes:
        shape, colour, size, pattern: its attributes, by their words; the shape is its class.
        depth: 0 lies furthest back; the greater hides the smaller.
        mask: bool ``(H, W)``, the pixels where it is seen.
        box: ``(x0, y0, x1, y1)`` round the mask, whole pixels, half-open.
        whole: the same round the whole shape, parts that are hidden or outside the picture included.
        area: pixels of the mask.
        mass: twice the mask's centre of mass, ``(x, y)`` in pixels, rounded down to whole numbers.
    """

    shape: str
    colour: str
    size: str
    pattern: str
    depth: int
    mask: np.ndarray
    box: Corners
    whole: Corners
    area: int
    mass: tuple[int, int]

    @property
    def centre(self) -> tuple[float, float]:
        """The middle ``(x, y)`` of the whole shape's box, in pixels."""
        x0, y0, x1, y1 = self.whole
        return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True, slots=True)
class Expression:
    """A sentence that is true of one object alone.

    Attributes:
        text: lower-case English.
        form: ``attribute``, ``position``, ``relation``, or ``combined`` (attributes with a position or a relation).
        ambiguous: whether another object fits the noun phrase alone: the phrase without its position or relation,
            and in an attribute expression the bare noun.
    """

    text: str
    form: str
    ambiguous: bool


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture and what is true of it.

    Attributes:
        seed: what it was drawn from.
        image: uint8 ``(H, W, 3)``.
        objects: from the back to the front.
        expressions: for each target (a place in `objects`) its sentences.
        captions: sentences about the whole picture.
    """

    seed: int
    image: np.ndarray
    objects: tuple[DrawnObject, ...]
    expressions: Mapping[int, tuple[Expression, ...]]
    captions: tuple[str, ...]
