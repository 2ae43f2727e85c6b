"""The eight shapes; each is a test of which points lie inside, with whole numbers only.

A test takes the points ``u`` (to the right) and ``v`` (downwards) from the shape's centre and its radius ``r``, all
int64 in the same unit. Squares of numbers up to 10**6 times 10**4 still fit into 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

# The tips of a five-pointed star on a circle of radius 1024, the first one upwards.
_TIPS = ((0, -1024), (974, -316), (602, 828), (-602, 828), (-974, -316))


def _circle(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    return 10000 * (u * u + v * v) <= 8464 * r * r


def _square(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    return 100 * np.maximum(abs(u), abs(v)) <= 82 * r


def _triangle(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    return (100 * v <= 75 * r) & (185 * abs(u) <= 105 * (v + 110 * r // 100))


def _star(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    # A point is in a pentagram when at most one of its five long edges has it on the outer side.
    reach = 118 * r // 100
    return sum((tip_u * u + tip_v * v >= -316 * reach).astype(np.int8) for tip_u, tip_v in _TIPS) >= 4  # pyright: ignore


def _ring(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    square = u * u + v * v
    return (square <= r * r) & (100 * square >= 29 * r * r)


def _cross(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    u, v = abs(u), abs(v)
    return (100 * np.maximum(u, v) <= 98 * r) & (100 * np.minimum(u, v) <= 33 * r)


def _diamond(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    return 100 * abs(u) <= 68 * (115 * r // 100 - abs(v))


def _moon(u: np.ndarray, v: np.ndarray, r: int) -> np.ndarray:
    u = u - 20 * r // 100  # the crescent lies to the left of its circle's centre
    away = u - 48 * r // 100
    return (u * u + v * v <= r * r) & (10000 * (away * away + v * v) >= 6724 * r * r)


FORMS: Mapping[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = MappingProxyType(
    {
        "circle": _circle,
        "square": _square,
        "triangle": _triangle,
        "star": _star,
        "ring": _ring,
        "cross": _cross,
        "diamond": _diamond,
        "moon": _moon,
    }
)
REACH = 130  # per cent of the radius: no shape has a point further from its centre
