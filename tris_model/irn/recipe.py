"""All that training IRN depends on besides its data."""

from __future__ import annotations

from dataclasses import dataclass

from risbench.errors import UsageError

from ..devices import Precision
from ..ranges import Count, Positive, Rate, Seed, Share
from .network import WIDTH
from .paths import window


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that training depends on besides the data; the defaults are the authors'.

    Attributes:
        epochs: passes over the items; in each, what is left over after the last whole batch is not used.
        batch: items a step; all there are if they are fewer.
        rate: learning rate of the edge layers. Few steps need more than the authors': 1.0 for some hundred.
        displacement_rate: learning rate of the displacement layers. Both rates fall by a polynomial.
        power: of that polynomial, stepped every step.
        momentum: 1e-4, for the authors pass their weight decay in momentum's place.
        decay: weight decay.
        crop: side of the square input, a multiple of 4.
        radius: of pairs, in cells of 4 pixels.
        scales: the images' sides are scaled by a number between these.
        mirror: whether half of the images are.
        width: of the network's heads.
        seed: of the weights, the order and the variations.
        means: items over which the mean displacement is taken in the end; all by default, as the authors do.
        precision: of the trunk.
    """

    epochs: Count = 3
    batch: Count = 24
    rate: Rate = 0.1
    displacement_rate: Rate = 1.0
    power: Rate = 0.9
    momentum: Share = 1e-4
    decay: Rate = 1e-4
    crop: Count = 512
    radius: Count = 10
    scales: tuple[Positive, Positive] = (0.5, 1.5)
    mirror: bool = True
    width: Count = WIDTH
    seed: Seed = 1234
    means: Count | None = None
    precision: Precision = "float32"


PAPER = Recipe()


def check(recipe: Recipe, items: int) -> int:
    """The number of steps.

    Raises:
        UsageError: no items, or values that cannot work.
    """
    if items < 1:
        raise UsageError("there is nothing to train IRN on: no item has labels")
    if recipe.crop < 4 or recipe.crop % 4 or recipe.epochs < 1 or recipe.batch < 1 or recipe.scales[0] <= 0:
        raise UsageError("IRN's recipe needs epochs and batch of at least 1, scales above 0, and crop a multiple of 4")
    if recipe.scales[0] > recipe.scales[1]:
        raise UsageError(f"IRN's scales must be in ascending order, not {recipe.scales[0]:g} and {recipe.scales[1]:g}")
    window((recipe.crop // 4, recipe.crop // 4), recipe.radius)
    return recipe.epochs * (items // min(recipe.batch, items))
