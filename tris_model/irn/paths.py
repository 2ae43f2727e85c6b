"""The straight paths from a cell to its neighbours: which cells does one cross on the way?

A pair of cells stands for two that may be told apart. Of the two one is the start, the other is one of the half disc to
its right and below, so that each pair counts once. Rows go down, columns to the right.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from torch import Tensor

from risbench.errors import UsageError

Offset = tuple[int, int]


class Path(NamedTuple):
    """From a start to ``end``, over ``cells`` (both ends among them, the furthest first), as offsets (row, column)."""

    end: Offset
    cells: tuple[Offset, ...]


@cache
def half_disc(radius: int) -> tuple[Path, ...]:
    """The paths to all cells nearer than ``radius``, in the half plane to the right and below.

    A path's cells are those of the rectangle between its ends that are less than one cell away from the line.

    Args:
        radius: in cells, at least 2 for there to be any.
    """
    ends = [(0, x) for x in range(1, radius)]
    ends += [(y, x) for y in range(1, radius) for x in range(1 - radius, radius) if x * x + y * y < radius * radius]
    paths = [Path(end, _crossed(end)) for end in ends]
    return tuple(sorted(paths, key=lambda path: len(path.cells)))


def _crossed(end: Offset) -> tuple[Offset, ...]:
    down, right = end
    cells = [
        (y, x)
        for y in range(down + 1)
        for x in range(min(0, right), max(0, right) + 1)
        if (down * x - right * y) ** 2 < down * down + right * right
    ]
    return tuple(sorted(cells, key=lambda cell: -abs(cell[0]) - abs(cell[1])))


class Window(NamedTuple):
    """The starts whose half disc lies within a map: all columns but ``reach`` on both sides, all rows but the last."""

    reach: int
    height: int
    width: int

    def at(self, grid: Tensor, offset: Offset) -> Tensor:
        """The map as seen ``offset`` from every start: ``(…, H, W)`` -> ``(…, height, width)``, a view."""
        y, x = offset[0], offset[1] + self.reach
        return grid[..., y : y + self.height, x : x + self.width]


def window(size: tuple[int, int], radius: int) -> Window:
    """The starts in a map of ``size`` (height, width).

    Raises:
        UsageError: no half disc of that radius fits.
    """
    reach = radius - 1
    inner = Window(reach, size[0] - reach, size[1] - 2 * reach)
    if radius < 2 or inner.height < 1 or inner.width < 1:
        raise UsageError(
            f"a map of {size[0]} x {size[1]} cells has no pairs of radius {radius}; "
            f"a smaller radius (at least 2) or a larger crop helps"
        )
    return inner
