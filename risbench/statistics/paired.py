"""Whether two runs differ: paired differences over the same expressions, image by image.

A difficulty that an image has for both runs cancels. The standard error of a difference is that of the jackknife over
images, which leaves an image out of both runs at once. The p-value and the 95 % interval are Student's, with the
effective number of images minus one as degrees of freedom; see `risbench.statistics.ratios`.

- Few images are weak evidence. If the runs differ on ``m`` images, there are ``2 ** m`` equally likely ways to exchange
  the two runs image by image. So no p-value is below ``2 ** (1 - m)``, and the interval is at least as wide as this
  p-value requires.
- A method that was run with several seeds is represented by the mean over its seeds. The variance between seeds is
  added to the variance between images, with Welch's and Satterthwaite's degrees of freedom.
- The variance between seeds of a single run is unknown. When it is compared with a mean over seeds, the variance of
  that mean is used for it too (Crawford & Howell, 1998), unless the method was not trained. Then Cochran's weighted
  quantile of Student's t is used, because Satterthwaite's degrees of freedom fail for few seeds. Two single runs are
  compared without variance between seeds.
- The p-values of several comparisons are corrected by Holm's step-down method, which bounds the probability of any
  false finding among them.

Sources: Cochran (1964), *Approximate significance levels of the Behrens-Fisher test*; Crawford & Howell (1998),
*Comparing an individual's test score against norms derived from small samples*;
Efron & Tibshirani (1993), chapter 11; Satterthwaite (1946); Holm (1979). ``tests/bench/calibration.py``
measures how often equal runs are found to differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from ..errors import DataError
from ..metrics.metric import Metric
from ..results.columns.rowcolumns import RowColumns, columns_of
from ..results.rows import Row
from ..results.run import Run
from .ratios import CONFIDENCE, DIGITS, divided, freedom_of, leave_one_out
from .summary import clusters, sums_of

LEVEL = 0.05
_SMALLEST_TAIL = 2.0**-53  # beyond it no p-value is of interest
SMALLEST_P = 1e-6  # below this the tails of Student's t do not describe real images
_SAME = 1e-12  # sums of the same numbers in another order differ by less, real scores by more


class Difference(NamedTuple):
    """The score of one run minus that of another.

    Attributes:
        value: a fraction.
        low, high: its 95 % interval; None if fewer than two images count, or no image differs.
        p: the uncorrected p-value, at least `SMALLEST_P`; None if fewer than two images count, so nothing is tested.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None


class Estimate(NamedTuple):
    """One metric of a run, or the mean over runs that differ in their seeds.

    Attributes:
        value: a fraction; NaN if no expression counts.
        sums: each image's numerator and weight, float64 ``(images, 2)``, means over the runs.
        left_out: the value without each image, float64 ``(images,)``.
        seed_variance: the variance of the mean over seeds; 0 for a single run.
        seeds: the number of runs.
        learned: whether another seed could give another value, as with every trained method.
    """

    value: float
    sums: np.ndarray
    left_out: np.ndarray
    seed_variance: float = 0.0
    seeds: int = 1
    learned: bool = True


def in_step(runs: Sequence[Run], rows: Sequence[Sequence[Row] | RowColumns]) -> list[RowColumns]:
    """Each run's rows, sorted by id, after a check that all are about the same expressions.

    Raises:
        DataError: a run lacks an expression that another has, or counts one that the other leaves out.
    """
    first = RowColumns.of(rows[0]).in_order()
    found = [first]
    for run, each in zip(runs[1:], rows[1:], strict=True):
        found.append(RowColumns.of(each).in_order().like(first))
        if found[-1].ids is not first.ids:
            odd = sorted(set(found[-1].ids) ^ set(first.ids)) or ["one that is there twice"]
            raise DataError(f"{runs[0].path} and {run.path} are not about the same expressions: {odd[0]}")
        unknown = np.isnan(first.union)
        apart = (unknown != np.isnan(found[-1].union)) & ~(first.no_target & found[-1].no_target)
        if apart.any():
            place = int(np.argmax(apart))
            older, newer = (run, runs[0]) if unknown[place] else (runs[0], run)
            raise DataError(
                f"{older.path} counts {first.ids[place]}, which has no true mask, and {newer.path} leaves it out: "
                f"{older.path} was made by an older version, score it again (`risbench score RUN --split SPLIT`)"
            )
    return found


def estimates(
    columns: Sequence[Mapping[str, np.ndarray]],
    images: Sequence[Any] | np.ndarray,
    metrics: Sequence[Metric],
    *,
    wanted: np.ndarray | None = None,
) -> list[list[Estimate]]:
    """Each run's estimate of each metric: ``[run][metric]``.

    Args:
        columns: each run's numbers, see `Metric.terms`, all in the same order of expressions.
        images: the expressions' image ids.
        metrics: the metrics.
        wanted: bool ``(expressions,)``, the expressions to use; by default all.
    """
    if wanted is not None:
        places = np.flatnonzero(wanted)
        columns = [{name: values[places] for name, values in run.items()} for run in columns]
        images = images[places] if isinstance(images, np.ndarray) else [images[place] for place in places.tolist()]
    cluster = clusters(images)
    return [[estimate_of(sums_of(metric, run, cluster)) for metric in metrics] for run in columns]


def estimates_of_runs(rows: Sequence[RowColumns], metrics: Sequence[Metric]) -> list[list[Estimate]]:
    """`estimates` from the rows that `in_step` returns."""
    return estimates([columns_of(run) for run in rows], rows[0].image_id, metrics)


def estimate_of(sums: np.ndarray) -> Estimate:
    """The estimate of one metric of one run from its images' numerators and weights, float64 ``(images, 2)``."""
    if not len(sums):
        return Estimate(math.nan, sums, np.zeros(0))
    value = divided(sums[:, 0].sum(), sums[:, 1].sum())
    left_out = leave_one_out(sums[:, :1], sums[:, 1:])[:, 0]
    return Estimate(float(value), sums, np.where(sums[:, 1] > 0, left_out, value))


def mean_over_seeds(runs: Sequence[Estimate]) -> Estimate:
    """The mean of runs that differ in their seeds, with the variance between them."""
    if len(runs) == 1:
        return runs[0]
    values = np.array([run.value for run in runs])
    return Estimate(
        float(values.mean()),
        np.mean([run.sums for run in runs], axis=0),
        np.mean([run.left_out for run in runs], axis=0),
        float(values.var(ddof=1)) / len(runs),
        len(runs),
        runs[0].learned,
    )


def paired_difference(first: Estimate, second: Estimate) -> Difference | None:
    """The first minus the second, over the same images; None if one of the two has no value."""
    value = first.value - second.value
    if math.isnan(value):
        return None
    value = 0.0 if abs(value) < _SAME else value
    weights = [divided(each.sums[:, 1], each.sums[:, 1].sum()) for each in (first, second)]
    share = np.mean(weights, axis=0)
    counted = share > 0
    images = int(counted.sum())
    if images < 2:
        return Difference(value, None, None, None)
    deviations = np.where(counted, first.left_out - second.left_out - (first.value - second.value), 0.0)
    if np.isnan(deviations).any():  # only a single image counts for one of them
        return Difference(value, None, None, None)
    between_images = (images - 1) / images * float(np.square(deviations).sum())
    of_seeds, weighted = _between_seeds(first, second)
    parts = [(between_images, float(freedom_of(share[:, None])[0])), *of_seeds]
    variance = sum(part for part, _ in parts)
    error = math.sqrt(variance) if variance > _SAME**2 else 0.0
    if not weighted or not error:
        freedom = variance**2 / sum(part**2 / free for part, free in parts if part) if error else parts[0][1]
        parts = [(1.0, freedom)]
    differing = int(np.count_nonzero(~np.isclose(first.sums, second.sums, rtol=0, atol=_SAME).all(axis=1)))
    if value:
        # The error at which Student's t gives the smallest p-value that so many images allow; one image allows none.
        most = _quantile(2.0 ** -max(differing, 1), parts)
        error = max(error, abs(value) / most) if most > 0 else max(error, abs(value))
    floor = max(SMALLEST_P, 2.0 ** (1 - max(differing, 1)))
    if not error:
        # The runs score every image the same, so there is no variance to make an interval from.
        return Difference(value, None, None, 1.0)
    p = 2 * _tail(abs(value) / error, parts)
    half = _quantile((1 - CONFIDENCE) / 2, parts) * error
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Difference(value, round(low, DIGITS), round(high, DIGITS), min(1.0, max(p, floor)))


def _quantile(tail: float, parts: Sequence[tuple[float, float]]) -> float:
    """The value that Student's t exceeds with probability ``tail``; of several variances, the mean weighted by them.

    Args:
        tail: the probability.
        parts: each variance with its degrees of freedom.
    """
    if tail >= 0.5:
        return 0.0
    if tail < _SMALLEST_TAIL:
        return math.inf
    # The lower tail, for the upper one is 1 minus a number that may be tiny, where SciPy's versions differ.
    found = sum(part * -float(special.stdtrit(free, tail)) for part, free in parts if part)
    return found / sum(part for part, _ in parts)


def _tail(score: float, parts: Sequence[tuple[float, float]]) -> float:
    """The probability for which `_quantile` is ``score``; small ones only as exactly as they are printed."""
    if len(parts) == 1:
        return float(special.stdtr(parts[0][1], -score))
    low, high = math.log(SMALLEST_P / 20), math.log(0.5)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _quantile(math.exp(middle), parts) > score else (low, middle)
    return math.exp(high)


def _between_seeds(first: Estimate, second: Estimate) -> tuple[list[tuple[float, float]], bool]:
    """The variance that seeds add to a difference.

    Returns:
        Each variance with its degrees of freedom, and whether a single run uses the variance of the other line.
    """
    known = [each for each in (first, second) if each.seeds > 1]
    single = [each for each in (first, second) if each.seeds == 1 and each.learned]
    if len(known) == 1 and single:
        # The variance of the mean over n seeds, and n times that for the one seed of the other.
        return [(known[0].seed_variance * (1 + known[0].seeds), known[0].seeds - 1.0)], True
    return [(each.seed_variance, each.seeds - 1.0) for each in known], False


def significant_pairs(runs: Sequence[Estimate]) -> set[tuple[int, int]]:
    """The pairs of runs that differ at 5 %, corrected by Holm for all pairs; each pair in both orders.

    To compare the run with the largest value with all others is to choose the tests by the data. The correction for
    all pairs allows any such choice: if all runs are equal, the probability of any significant pair is at most 5 %.
    """
    pairs = list(combinations(range(len(runs)), 2))
    tests = [paired_difference(runs[first], runs[second]) for first, second in pairs]
    corrected = corrected_of(tests)
    apart = {pair for pair, p in zip(pairs, corrected, strict=True) if p is not None and p <= LEVEL}
    return apart | {(second, first) for first, second in apart}


def corrected_of(tests: Sequence[Difference | None]) -> list[float | None]:
    """The p-values of the tests, corrected by Holm; None where there is no p-value."""
    ps = iter(holm([test.p for test in tests if test is not None and test.p is not None]))
    return [None if test is None or test.p is None else next(ps) for test in tests]


def holm(ps: Sequence[float]) -> list[float]:
    """The p-values corrected for their number by Holm's method, in the given order."""
    order = np.argsort(ps, kind="stable")
    steps = np.asarray(ps, dtype=np.float64)[order] * np.arange(len(ps), 0, -1)
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(ps) else steps
    return corrected.tolist()
