"""The extents of annotated outlines, for many objects at once and without drawing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..annotations.outlines import Outlines


class Extents(NamedTuple):
    """The extents of the polygons of some annotations.

    Attributes:
        has: bool ``(n,)``, whether an annotation has a polygon with at least three corners.
        sides: float64 ``(n, 4)``, the box x0 y0 x1 y1 round the corners of such polygons; NaN if there is none.
        degenerate: int64 ``(n,)``, the number of polygons with fewer than three corners or with an odd count of
            numbers.
    """

    has: np.ndarray
    sides: np.ndarray
    degenerate: np.ndarray


def extents_of(outlines: Outlines, rows: np.ndarray) -> Extents:
    """The extents of the polygons of these annotation rows."""
    first, counts = outlines.polygons[rows], outlines.polygons[rows + 1] - outlines.polygons[rows]
    polygons, owners = _runs(first, counts), np.repeat(np.arange(len(rows)), counts)
    lengths = outlines.corners[polygons + 1] - outlines.corners[polygons]
    degenerate = np.bincount(owners[(lengths < 6) | (lengths % 2 == 1)], minlength=len(rows))
    drawn = lengths >= 6
    # With an odd count of numbers the last one is ignored, as when the polygon is drawn.
    polygons, owners, lengths = polygons[drawn], owners[drawn], lengths[drawn] // 2 * 2
    corners = outlines.numbers[_runs(outlines.corners[polygons], lengths)].reshape(-1, 2)
    sides = np.full((len(rows), 4), np.nan)
    if len(corners):
        starts = np.cumsum(lengths // 2) - lengths // 2
        changes = np.flatnonzero(np.diff(owners, prepend=-1))
        sides[owners[changes], :2] = np.minimum.reduceat(corners, starts[changes])
        sides[owners[changes], 2:] = np.maximum.reduceat(corners, starts[changes])
    return Extents(~np.isnan(sides[:, 0]), sides, degenerate)


def _runs(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The runs of consecutive numbers with these starts and lengths, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def beyond(sides: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The pixels by which boxes ``(n, 4)`` exceed images of sizes ``(n, 2)`` (height, width): float64, 0 inside."""
    height, width = sizes[:, 0], sizes[:, 1]
    over = np.stack([-sides[:, 0], -sides[:, 1], sides[:, 2] - width, sides[:, 3] - height])
    return np.maximum(np.nan_to_num(over, nan=0.0).max(axis=0, initial=0.0), 0.0)


def in_common(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The IoU of boxes ``(n, 4)``, each grown by half a pixel, so that thin boxes have an area."""
    grow = np.array([-0.5, -0.5, 0.5, 0.5])
    a, b = a + grow, b + grow
    both = np.prod(np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None), axis=1)
    either = np.prod(a[:, 2:] - a[:, :2], axis=1) + np.prod(b[:, 2:] - b[:, :2], axis=1) - both
    return np.divide(both, either, out=np.zeros(len(a)), where=either > 0)
