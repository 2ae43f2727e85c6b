"""Standard errors and 95 % intervals of metrics, each of which is a ratio of two sums over images.

Expressions about one image share its pixels, its objects and often the same mistake, so they are not independent;
images are. Each metric lies in [0, 1].

- Standard error: the jackknife, which leaves out one image at a time.
- Degrees of freedom: the effective number of images minus one, at least one. oIoU weights an image by its unions, so a
  few images with large objects may decide the value. The effective number is the squared sum of the weights, divided
  by the sum of their squares.
- Interval: Wilson's interval for a rate, with the quantile of Student's t, at the effective sample size
  ``value * (1 - value) / error ** 2``. It always lies in [0, 1]. If the images do not vary (none right, or all right),
  the error is zero, and the number of images is taken as the effective sample size.
- One image alone has no interval.

``tests/bench/calibration.py`` measures how often such intervals contain the true value. Sources: Efron & Tibshirani
(1993), chapter 11, for the jackknife; Kish (1965) for the effective number; Wilson (1927); Korn & Graubard (1998) for
effective sample sizes with Student's t; Franco, Little, Louis & Slud (2019), who compare such intervals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

CONFIDENCE = 0.95
METHOD = "jackknife over images, Wilson, Student's t"  # stored with each summary; older summaries have no such key
DIGITS = 6  # of a bound: finer than its own noise, coarser than differences between machines


class Jackknife(NamedTuple):
    """Ratios over the same images, float64 ``(columns,)`` each; NaN where no image counts.

    Attributes:
        value: the ratios over all images.
        error: their standard errors; NaN where fewer than two images count.
        freedom: the degrees of freedom of the errors, at least 1.
        images: how many images count, int64.
    """

    value: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    images: np.ndarray


def jackknife(above: np.ndarray, below: np.ndarray) -> Jackknife:
    """The ratios ``above / below`` and their standard errors.

    Args:
        above: each image's sums of numerators, float64 ``(images, columns)``.
        below: each image's sums of weights, likewise; an image with weight 0 does not count.
    """
    counted = below > 0
    images = counted.sum(axis=0)
    total = below.sum(axis=0)
    value = divided(above.sum(axis=0), total)
    left_out = leave_one_out(above, below)
    # To leave out an image that does not count changes nothing.
    deviations = np.where(counted, left_out - value, 0.0)
    scale = np.divide(images - 1, images, out=np.zeros(images.shape), where=images > 0)
    error = np.where(images > 1, np.sqrt(scale * np.square(deviations).sum(axis=0)), np.nan)
    return Jackknife(value, error, freedom_of(below), images)


def leave_one_out(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The ratios without each image in turn: float64 ``(images, columns)``; NaN where nothing is left."""
    return divided(above.sum(axis=0) - above, below.sum(axis=0) - below, below.sum(axis=0))


def freedom_of(weights: np.ndarray) -> np.ndarray:
    """The effective number of images minus one, at least 1: float64 ``(columns,)`` of weights ``(images, columns)``."""
    squares = np.square(weights).sum(axis=0)
    effective = np.divide(np.square(weights.sum(axis=0)), squares, out=np.ones(squares.shape), where=squares > 0)
    return np.maximum(effective - 1, 1.0)


def intervals(above: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bounds of the 95 % intervals of ``above / below``; see `jackknife`.

    Returns:
        Lower and upper bounds, float64 ``(columns,)`` each, rounded to 6 digits; NaN where fewer than two images count.
    """
    value, error, freedom, images = jackknife(above, below)
    value = np.clip(value, 0.0, 1.0)  # summing many numbers may leave a ratio of 1 an ulp above
    varies = error > 1e-12
    size = np.divide(value * (1 - value), np.square(error), out=images.astype(np.float64), where=varies)
    size = np.where(size > 0, size, images)  # a value at 0 or 1 to the last digit
    spread = np.square(special.stdtrit(freedom, (1 + CONFIDENCE) / 2)) / np.maximum(size, 1e-12)
    middle = (value + spread / 2) / (1 + spread)
    half = np.sqrt(spread * value * (1 - value) + np.square(spread) / 4) / (1 + spread)
    alone = images < 2
    low = np.where(alone, np.nan, np.clip(middle - half, 0.0, value))
    high = np.where(alone, np.nan, np.clip(middle + half, value, 1.0))
    return low.round(DIGITS), high.round(DIGITS)


def divided(above: np.ndarray | float, below: np.ndarray | float, scale: np.ndarray | float = 0.0) -> np.ndarray:
    """``above / below``; NaN where ``below`` is zero, or so small beside ``scale`` that it is only a rounding error."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    return np.divide(above, below, out=np.full(shape, np.nan), where=below > 1e-12 * np.asarray(scale))
