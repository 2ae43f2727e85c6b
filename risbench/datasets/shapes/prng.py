"""Random whole numbers that are the same on every machine and never change.

The streams of numpy's and Python's generators may change between versions, but the fixed images must not. This is
splitmix64 (Steele, Lea, Flood 2014), written out: one stream of 64-bit numbers, and one hash of a grid of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")
_WORD = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def mix(value: int) -> int:
    """A 64-bit hash of a 64-bit number: every bit of the result depends on every bit of the number."""
    value &= _WORD
    value = ((value ^ (value >> 30)) * _MIX[0]) & _WORD
    value = ((value ^ (value >> 27)) * _MIX[1]) & _WORD
    return value ^ (value >> 31)


class Dice:
    """A stream of whole numbers. The same seeds give the same stream."""

    def __init__(self, *seeds: int) -> None:
        self._state = 0
        for seed in seeds:
            self._state = mix(self._state + _STEP + mix(seed))

    def next(self) -> int:
        """The next number in ``[0, 2**64)``."""
        self._state = (self._state + _STEP) & _WORD
        return mix(self._state)

    def below(self, end: int) -> int:
        """A number in ``[0, end)``."""
        return ((self.next() >> 32) * end) >> 32

    def between(self, low: int, high: int) -> int:
        """A number in ``[low, high]``."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True with a probability in percent."""
        return self.below(100) < percent

    def pick(self, items: Sequence[_T]) -> _T:
        """One of the items, with equal probability."""
        return items[self.below(len(items))]

    def weigh(self, weights: Sequence[int]) -> int:
        """An index of the list, with a probability proportional to its weight."""
        left = self.below(sum(weights))
        for place, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return place
        return len(weights) - 1

    def shuffled(self, items: Sequence[_T]) -> list[_T]:
        """The items in random order."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result


def noise(seed: int, height: int, width: int) -> np.ndarray:
    """Independent numbers in ``[0, 256)`` for every cell of a grid: int32 ``(height, width)``."""
    cell = np.arange(height * width, dtype=np.uint64) * np.uint64(_STEP) + np.uint64(mix(seed))
    cell = (cell ^ (cell >> np.uint64(30))) * np.uint64(_MIX[0])
    cell = (cell ^ (cell >> np.uint64(27))) * np.uint64(_MIX[1])
    return (cell >> np.uint64(56)).astype(np.int32).reshape(height, width)
