"""One object on a small canvas: the points inside it, and its own axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .forms import FORMS, REACH

SUB = 3  # points a pixel's side: 9 points decide how far a pixel is covered
UNIT = 2 * SUB  # units a pixel's side; the points lie on the odd units
# Cosine and sine of small tilts, times 1024: 0, 5 and 10 degrees in both directions. More would turn a square into a
# diamond.
TILTS = ((1024, 0), (1020, 89), (1020, -89), (1008, 178), (1008, -178))


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """A shape round the origin, in pixels.

    Attributes:
        left, top: the canvas's upper left corner, relative to the origin, in whole pixels.
        inside: bool ``(3 h, 3 w)``, the points inside the shape.
        cover: int32 ``(h, w)``, the number of a pixel's 9 points that are inside.
        u, v: int64 ``(3 h, 3 w)``, the points in the shape's own (tilted) axes, in units times 1024.
        radius: in the same units times 1024.
    """

    left: int
    top: int
    inside: np.ndarray
    cover: np.ndarray
    u: np.ndarray
    v: np.ndarray
    radius: int

    @property
    def mask(self) -> np.ndarray:
        """The pixels with at least 5 of their 9 points inside the shape: bool ``(h, w)``."""
        return self.cover > SUB * SUB // 2


def count(points: np.ndarray) -> np.ndarray:
    """The number of true points of each pixel: int32 ``(h, w)`` from bool ``(3 h, 3 w)``."""
    ones = points.view(np.uint8)  # adding slices is several times as fast as a sum over two axes
    rows = ones[0::SUB] + ones[1::SUB] + ones[2::SUB]
    return (rows[:, 0::SUB] + rows[:, 1::SUB] + rows[:, 2::SUB]).astype(np.int32)


def cut(shape: str, radius: int, *, tilt: int = 0, flip: bool = False, shift: tuple[int, int] = (0, 0)) -> Stamp:
    """Make the stamp of a shape.

    Args:
        shape: one of `SHAPES`.
        radius: in units of a sixth of a pixel.
        tilt: index of `TILTS`.
        flip: whether it is mirrored left to right; this changes only the moon.
        shift: offset of the centre from the origin, in units.
    """
    reach = (radius * REACH // 100) // UNIT + 3
    axis = np.arange(-reach * UNIT + 1, reach * UNIT, 2, dtype=np.int64)
    x, y = (axis - shift[0])[None, :], (axis - shift[1])[:, None]
    cosine, sine = TILTS[tilt]
    u = x * cosine + y * sine
    v = y * cosine - x * sine
    if flip:
        u = -u
    inside = FORMS[shape](u, v, radius * 1024)
    return Stamp(-reach, -reach, inside, count(inside), u, v, radius * 1024)
