"""Types for the allowed values of a recipe's numbers, as in ``batch: Count = 48``.

A recipe's record uses one of these types for each of its numbers. :mod:`tris_model.train.recipe` refuses other values
before the training begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Annotated

LARGEST = 1e30  # so that what an optimiser makes of it is still a float32
MANY = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Within:
    """From ``low`` to ``high``, both included; with ``above``, ``low`` itself is excluded."""

    low: float
    high: float = LARGEST
    above: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is finite and in the range."""
        return isfinite(value) and self.low <= value <= self.high and not (self.above and value == self.low)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        return low if self.high in (MANY, LARGEST, 2**64 - 1) else f"{low} and at most {self.high:g}"


Count = Annotated[int, Within(1, MANY)]
"""A number of things of which there must be at least one."""
Number = Annotated[int, Within(0, MANY)]
"""A number of things that may be zero."""
Seed = Annotated[int, Within(0, 2**64 - 1)]
"""A seed that both torch and numpy accept."""
Rate = Annotated[float, Within(0)]
"""A rate, weight, norm or power; it is not negative."""
Positive = Annotated[float, Within(0, above=True)]
"""A size or temperature that is a divisor or the argument of a logarithm."""
Share = Annotated[float, Within(0, 1)]
"""A fraction, a probability, or a threshold of a map that was divided by its maximum."""
Real = Annotated[float, Within(-LARGEST)]
"""Any finite number."""
