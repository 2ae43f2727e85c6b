"""The recipe of training IRN: all settings besides the data."""

from __future__ import annotations

from dataclasses import dataclass

from risbench.errors import UsageError

from ..devices import Precision
from ..ranges import Count, Positive, Rate, Seed, Share
from .network import WIDTH
from .paths import window


@dataclass(frozen=True, slots=True)
class Recipe:
    """The recipe of training IRN; the defaults are the authors'.

    Attributes:
        epochs: passes over the items; in each, an incomplete last batch is dropped.
        batch: items per step; all items if there are fewer.
        rate: learning rate of the edge layers. A short training needs a higher rate than the authors': 1.0 for some
            hundred steps.
        displacement_rate: learning rate of the displacement layers. Both rates decay by a polynomial.
        power: exponent of this polynomial, updated every step.
        momentum: 1e-4, because the authors pass their weight decay as the momentum.
        decay: weight decay.
        crop: side of the square input, a multiple of 4.
        radius: the cells of a pair are closer than this, in cells of 4 pixels.
        scales: lowest and highest factor of the images' sides.
        mirror: whether half of the images are mirrored.
        width: width of the network's heads.
        seed: decides the weights, the order and the augmentation.
        means: number of items for the final mean displacement; all by default, as in the authors' code.
        precision: precision of the trunk.
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
    """Check a recipe, and return the number of steps.

    Raises:
        UsageError: there are no items, or a value is not valid.
    """
    if items < 1:
        raise UsageError("IRN has no training data: no item has labels")
    if recipe.crop < 4 or recipe.crop % 4 or recipe.epochs < 1 or recipe.batch < 1 or recipe.scales[0] <= 0:
        raise UsageError("IRN's recipe needs epochs and batch of at least 1, scales above 0, and crop a multiple of 4")
    if recipe.scales[0] > recipe.scales[1]:
        raise UsageError(f"IRN's scales must be in ascending order, not {recipe.scales[0]:g} and {recipe.scales[1]:g}")
    window((recipe.crop // 4, recipe.crop // 4), recipe.radius)
    return recipe.epochs * (items // min(recipe.batch, items))
