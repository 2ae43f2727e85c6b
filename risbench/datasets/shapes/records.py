"""The records of a drawn scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .layout import Corners


@dataclass(frozen=True, slots=True, eq=False)
class DrawnObject:
    """One object of a scene.

    Attributes:
        shape, colour, size, pattern: the words for its attributes; the shape is its class.
        depth: 0 is farthest back; a greater depth hides a smaller one.
        mask: bool ``(H, W)``, its visible pixels.
        box: ``(x0, y0, x1, y1)`` round the mask, in whole pixels, half-open.
        whole: the box round the complete shape, with parts that are hidden or outside the image.
        area: number of pixels of the mask.
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
    """A sentence that is true of only one object.

    Attributes:
        text: lower-case English.
        form: ``attribute``, ``position``, ``relation``, or ``combined`` (attributes with a position or a relation).
        ambiguous: whether the noun phrase also fits another object: the phrase without its position or relation, or in
            an attribute expression the noun without adjectives.
    """

    text: str
    form: str
    ambiguous: bool


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An image, its objects and true sentences about it.

    Attributes:
        seed: the seed that it was drawn from.
        image: uint8 ``(H, W, 3)``.
        objects: its objects, from back to front.
        expressions: maps each target, an index of `objects`, to its sentences.
        captions: sentences about the whole image.
    """

    seed: int
    image: np.ndarray
    objects: tuple[DrawnObject, ...]
    expressions: Mapping[int, tuple[Expression, ...]]
    captions: tuple[str, ...]
