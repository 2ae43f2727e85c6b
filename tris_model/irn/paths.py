"""The straight paths from a cell to its neighbours, and the cells on them.

One cell of a pair is the start; the other lies in the half disc to the right of it and below it, so that each pair
counts once. Rows go down, columns to the right.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from torch import Tensor

from risbench.errors import UsageError

Offset = tuple[int, int]


class Path(NamedTuple):
    """A path from a start to ``end`` over ``cells`` (with both ends, the furthest first), as offsets (row, column)."""

    end: Offset
    cells: tuple[Offset, ...]


@cache
def half_disc(radius: int) -> tuple[Path, ...]:
    """The paths to all cells closer than ``radius``, in the half plane to the right and below.

    A path's cells are the cells of the rectangle between its ends that are less than one cell from the line.

    Args:
        radius: in cells; below 2 there are no paths.
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
    """The starts whose half disc lies inside a map: without ``reach`` columns on each side and ``reach`` last rows."""

    reach: int
    height: int
    width: int

    def at(self, grid: Tensor, offset: Offset) -> Tensor:
        """The values at ``offset`` from every start: ``(…, H, W)`` -> ``(…, height, width)``, a view."""
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
            f"give a smaller radius (at least 2) or a larger crop"
        )
    return inner
