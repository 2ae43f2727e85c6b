"""Binary search over float32 numbers, whose bit patterns are ordered like integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_LARGEST = 0x7F7FFFFF  # the bits of the largest finite float32


def lowest_where(guess: np.float32, holds: Callable[[np.float32], Any]) -> np.float32:
    """The smallest finite float32 for which a monotone condition holds.

    Args:
        guess: where the search starts, any finite float32; a near guess needs fewer trials.
        holds: False below some number, True from it on. If it is never True, the largest float32 is returned.
    """
    place, step = _place(guess), 1
    if holds(guess):
        true, false = place, place - 1
        while false >= -_LARGEST and holds(_number(false)):
            true, step = false, 2 * step
            false = max(false - step, -_LARGEST - 1)
    else:
        false, true = place, place + 1
        while true < _LARGEST and not holds(_number(true)):
            false, step = true, 2 * step
            true = min(true + step, _LARGEST)
    while true - false > 1:
        middle = (true + false) // 2
        if holds(_number(middle)):
            true = middle
        else:
            false = middle
    return _number(min(true, _LARGEST))


def _place(number: np.float32) -> int:
    bits = int(np.float32(number).view(np.int32))
    return bits if bits >= 0 else -(bits & 0x7FFFFFFF)


def _number(place: int) -> np.float32:
    return np.int32(place).view(np.float32) if place >= 0 else -np.int32(-place).view(np.float32)
