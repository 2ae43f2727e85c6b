"""How far annotated outlines reach, of many objects at once and without drawing one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .outlines import Outlines


class Extents(NamedTuple):
    """What the polygons of some annotations span.

    Attributes:
        has: bool ``(n,)``, which annotations have polygons.
        sides: float64 ``(n, 4)``, the box x0 y0 x1 y1 round all corners; NaN without polygons.
        broken: int64 ``(n,)``, the numbers in the first polygon that is none (an odd count, or fewer than six); 0 where
            all are whole.
    """

    has: np.ndarray
    sides: np.ndarray
    broken: np.ndarray


def extents_of(outlines: Outlines, rows: np.ndarray) -> Extents:
    """The extents of the polygons of these annotation rows."""
    first, counts = outlines.polygons[rows], outlines.polygons[rows + 1] - outlines.polygons[rows]
    polygons, owners = _runs(first, counts), np.repeat(np.arange(len(rows)), counts)
    lengths = outlines.corners[polygons + 1] - outlines.corners[polygons]
    bad = (lengths < 6) | (lengths % 2 == 1)
    broken = np.zeros(len(rows), np.int64)
    # From the last to the first, so that the first of an annotation stays; a polygon of no numbers counts as -1.
    broken[owners[bad][::-1]] = np.where(lengths[bad] == 0, -1, lengths[bad])[::-1]
    polygons, owners, lengths = polygons[~bad], owners[~bad], lengths[~bad]
    corners = outlines.numbers[_runs(outlines.corners[polygons], lengths)].reshape(-1, 2)
    sides = np.full((len(rows), 4), np.nan)
    if len(corners):
        starts = np.cumsum(lengths // 2) - lengths // 2
        changes = np.flatnonzero(np.diff(owners, prepend=-1))
        sides[owners[changes], :2] = np.minimum.reduceat(corners, starts[changes])
        sides[owners[changes], 2:] = np.maximum.reduceat(corners, starts[changes])
    return Extents(counts > 0, sides, broken)


def _runs(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers from each start on, as many as its length, one run after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def beyond(sides: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """How many pixels boxes ``(n, 4)`` reach out of images of sizes ``(n, 2)`` (height, width): float64, 0 inside."""
    height, width = sizes[:, 0], sizes[:, 1]
    over = np.stack([-sides[:, 0], -sides[:, 1], sides[:, 2] - width, sides[:, 3] - height])
    return np.maximum(np.nan_to_num(over, nan=0.0).max(axis=0, initial=0.0), 0.0)


def in_common(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes ``(n, 4)``, each grown by half a pixel, so that thin ones have an area."""
    grow = np.array([-0.5, -0.5, 0.5, 0.5])
    a, b = a + grow, b + grow
    both = np.prod(np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None), axis=1)
    either = np.prod(a[:, 2:] - a[:, :2], axis=1) + np.prod(b[:, 2:] - b[:, :2], axis=1) - both
    return np.divide(both, either, out=np.zeros(len(a)), where=either > 0)
