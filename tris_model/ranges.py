"""Which values a number of a recipe may have, written beside the number: ``batch: Count = 48``.

A record of a recipe names one of these types for each of its numbers; :mod:`tris_model.train.recipe` refuses others
before anything is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Annotated

LARGEST = 1e30  # so that what an optimiser makes of it is still a float32
MANY = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Within:
    """From ``low`` to ``high``, both included; ``above``: ``low`` itself is too little."""

    low: float
    high: float = LARGEST
    above: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is finite and lies within."""
        return isfinite(value) and self.low <= value <= self.high and not (self.above and value == self.low)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        return low if self.high in (MANY, LARGEST, 2**64 - 1) else f"{low} and at most {self.high:g}"


Count = Annotated[int, Within(1, MANY)]
"""How many of what there must be some of."""
Number = Annotated[int, Within(0, MANY)]
"""How many of what there may be none of."""
Seed = Annotated[int, Within(0, 2**64 - 1)]
"""What torch and numpy both take."""
Rate = Annotated[float, Within(0)]
"""A rate, weight, norm or power: none is negative."""
Positive = Annotated[float, Within(0, above=True)]
"""A size or temperature, by which something is divided or of which the logarithm is taken."""
Share = Annotated[float, Within(0, 1)]
"""A part of a whole, a probability, or a height of a map that was divided by its maximum."""
Real = Annotated[float, Within(-LARGEST)]
"""Any finite number."""
