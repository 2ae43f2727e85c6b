"""How sure a number is: intervals from a bootstrap that resamples images.

Expressions of one image share its picture, its objects and often the mistake, so they are not independent; images
are. Each of 10,000 resamples draws as many images as there are, with replacement, and takes every metric as a ratio
of sums over what it drew. The bounds are the 2.5th and 97.5th percentiles. Resampling needs only each image's sums,
so it is one matrix product. Its sums are rounded so that their totals are exact in float64, and so the bounds are the
same whichever BLAS multiplies. Source: Efron & Tibshirani (1993), the percentile interval, clustered by image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .metrics.names import Metric

RESAMPLES = 10_000
_CHUNK_CELLS = 2_000_000
_DIGITS = 6  # of a bound: far below its own noise
_MANTISSA = 52  # bits of a float64, less one to be safe


def summarise(
    columns: Mapping[str, np.ndarray],
    images: Sequence[Any],
    metrics: Sequence[Metric],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, dict[str, float | int | None]]:
    """Value, interval and count of each metric.

    Args:
        columns: the rows' numbers, see `Metric.terms`; float64 ``(n,)`` each.
        images: the rows' image ids.
        metrics: which to take.
        resamples: number of bootstrap resamples.
        seed: of the resampling; the same seed gives the same interval.

    Returns:
        ``{name: {"value", "low", "high", "count"}}``, fractions in [0, 1]; None where nothing counts.
    """
    cluster = clusters(images)
    sums = [sums_of(metric, columns, cluster) for metric in metrics]
    drawn = resampled(np.concatenate(sums, axis=1), resamples, seed) if len(cluster) else None
    summary: dict[str, dict[str, float | int | None]] = {}
    for place, metric in enumerate(metrics):
        above, below = metric.terms(columns)
        total = math.fsum(below)
        if drawn is None or not metric.counted(columns):
            summary[metric.name] = {"value": None, "low": None, "high": None, "count": 0}
            continue
        low, high = interval(*drawn[:, 2 * place : 2 * place + 2].T)
        value = math.fsum(above) / total if total else 0.0
        summary[metric.name] = {"value": value, "low": low, "high": high, "count": metric.counted(columns)}
    return summary


def clusters(images: Sequence[Any]) -> np.ndarray:
    """A number for each row's image, counted from 0 in order of first appearance: int64 ``(n,)``."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(image, len(numbers)) for image in images], dtype=np.int64)


def sums_of(metric: Metric, columns: Mapping[str, np.ndarray], cluster: np.ndarray) -> np.ndarray:
    """Each image's sums of numerator and weight: float64 ``(images, 2)``."""
    above, below = metric.terms(columns)
    return np.stack([np.bincount(cluster, weights=above), np.bincount(cluster, weights=below)], axis=1)


def resampled(sums: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """The columns' totals over each resample of the images: float64 ``(resamples, columns)``."""
    count = len(sums)
    sums = with_exact_totals(sums)
    generator = np.random.Generator(np.random.PCG64(seed))
    rows = max(1, _CHUNK_CELLS // count)
    totals = np.empty((resamples, sums.shape[1]))
    for start in range(0, resamples, rows):
        height = min(rows, resamples - start)
        drawn = generator.integers(0, count, size=(height, count), dtype=np.int32)
        drawn += np.arange(height, dtype=np.int32)[:, None] * count
        weights = np.bincount(drawn.reshape(-1), minlength=height * count).reshape(height, count)
        totals[start : start + height] = weights.astype(np.float64) @ sums
    return totals


def with_exact_totals(sums: np.ndarray) -> np.ndarray:
    """The sums, rounded at some 15 digits so that any ``len(sums)`` of them add up exactly, in any order.

    Each column is rounded to whole multiples of a power of two, of which its largest total holds fewer than 2**52.
    Whole numbers stay what they are.
    """
    _, exponents = np.frexp(np.abs(sums).max(axis=0, initial=0.0) * len(sums))
    return np.ldexp(np.round(np.ldexp(sums, _MANTISSA - exponents)), exponents - _MANTISSA)


def interval(above: np.ndarray, below: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the resampled ratios ``above / below``, ``(resamples,)`` each.

    A resample in which nothing counts (a metric that few images have) says nothing about the metric and is passed
    over; where that is so in all of them, 0/0 is 0, as for a single expression.
    """
    counts = below > 0
    draws = above[counts] / below[counts] if counts.any() else np.zeros(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return round(float(low), _DIGITS), round(float(high), _DIGITS)
