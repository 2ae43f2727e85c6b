"""Paint an object on the image: body, pattern, and a dark rim that separates it from its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .stamp import SUB, UNIT, Stamp, count

_POINTS = SUB * SUB


def _marked(pattern: str, turn: int, stamp: Stamp) -> np.ndarray:
    """The points with the second tone: bool ``(3 h, 3 w)``."""
    u, v = stamp.u, stamp.v
    period = max(stamp.radius * 50 // 100, 6 * UNIT * 1024)
    if pattern == "striped":
        along = (u, v, (u + v) * 5 // 7, (u - v) * 5 // 7)[turn]
        return along % period * 100 < 45 * period
    if pattern == "dotted":
        a, b = u % period - period // 2, v % period - period // 2
        return 100 * (a * a + b * b) < 10 * period * period
    if pattern == "checked":
        side = period * 60 // 100
        return (u // side + v // side) % 2 == 0
    return np.zeros(u.shape, dtype=bool)


def _core(inside: np.ndarray) -> np.ndarray:
    """The points more than one pixel away from the edge."""
    core = inside.copy()
    for axis in (0, 1):
        for step in (-SUB, SUB):
            core &= np.roll(inside, step, axis=axis)  # a stamp's margin is empty, so nothing comes round
    return core


def lay(
    picture: np.ndarray,
    stamp: Stamp,
    at: tuple[int, int],
    tones: tuple[Sequence[int], Sequence[int]],
    pattern: str,
    turn: int,
) -> None:
    """Paint a stamp on an image, in place.

    Args:
        picture: int32 ``(H, W, 3)`` in [0, 255].
        stamp: the shape.
        at: ``(x, y)``, the place of the stamp's origin, in whole pixels.
        tones: body and mark, red, green, blue each.
        pattern: one of `PATTERNS`.
        turn: 0 to 3, the direction of stripes.
    """
    core = _core(stamp.inside)
    marked = _marked(pattern, turn, stamp) & core
    body, mark = count(core & ~marked), count(marked)
    rim = stamp.cover - body - mark
    rows, columns, picture_rows, picture_columns = overlap(stamp, at, picture.shape[0], picture.shape[1])
    body, mark, rim = body[rows, columns], mark[rows, columns], rim[rows, columns]
    bare = _POINTS - stamp.cover[rows, columns]
    # Light falls from above: the shape grows darker downwards.
    shade = (np.arange(stamp.cover.shape[0], dtype=np.int32) * 28 // stamp.cover.shape[0] - 14)[rows, None]
    under = picture[picture_rows, picture_columns]
    for channel in range(3):
        light, dark = tones[0][channel], tones[0][channel] * 45 // 100
        ink = body * (light - shade) + mark * (tones[1][channel] - shade) + rim * dark
        under[..., channel] = np.clip((ink + bare * under[..., channel]) // _POINTS, 0, 255)


def overlap(stamp: Stamp, at: tuple[int, int], height: int, width: int) -> tuple[slice, slice, slice, slice]:
    """The overlap of stamp and image: rows and columns of the stamp, rows and columns of the image."""
    left, top = at[0] + stamp.left, at[1] + stamp.top
    high, wide = stamp.cover.shape
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = max(x0, min(width, left + wide)), max(y0, min(height, top + high))
    return slice(y0 - top, y1 - top), slice(x0 - left, x1 - left), slice(y0, y1), slice(x0, x1)
