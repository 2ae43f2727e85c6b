"""Whether two runs differ: paired differences over the same expressions, from a bootstrap that resamples images.

Every resample of the images is scored for all runs at once, so what makes an image hard for all of them cancels. The
interval is the middle 95 % of the resampled differences. The p-value is twice the smaller share of resamples on
either side of no difference (with one added to count and total): the level at which the interval would begin to touch
zero. Where fewer than ten resamples lie beyond zero, their share is too coarse to be corrected for many comparisons,
and the normal tail at the resamples' standard deviation is taken if it is smaller. Few images prove little whatever
is resampled: with n of them no p-value is below 2^(1 - n), the best that exchanging the runs image by image could do.
Several comparisons are corrected by Holm's step-down method, which bounds the chance of any false finding among them.
Sources: Efron & Tibshirani (1993), chapters 13, 15 and 16; Holm (1979).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .errors import DataError
from .metrics.names import Metric
from .results.rows import Row, columns_of
from .results.run import Run
from .stats import RESAMPLES, clusters, resampled, sums_of

LEVEL = 0.05
_DIGITS = 6  # as for intervals
_FEW = 10
_SAME = 1e-12  # sums of the same numbers in another order differ by less, real scores by more


class Draws(NamedTuple):
    """Several runs scored together.

    Attributes:
        values: the metrics over all images, float64 ``(runs, metrics)``; NaN where nothing counts.
        resampled: the same over each resample, float64 ``(resamples, runs, metrics)``.
        images: how many were resampled.
    """

    values: np.ndarray
    resampled: np.ndarray
    images: int


class Difference(NamedTuple):
    """How much one run scores above another: a fraction, its 95 % interval, and an uncorrected p-value."""

    value: float
    low: float
    high: float
    p: float


def in_step(runs: Sequence[Run], rows: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """The runs' rows, each sorted by id, about the same expressions.

    Raises:
        DataError: a run lacks an expression that another has, or counts one that the other leaves out.
    """
    found = [sorted(each, key=lambda row: row.id) for each in rows]
    first = [row.id for row in found[0]]
    for run, each in zip(runs[1:], found[1:], strict=True):
        ids = [row.id for row in each]
        if ids != first:
            odd = sorted(set(ids) ^ set(first)) or ["one that is there twice"]
            raise DataError(f"{runs[0].path} and {run.path} are not about the same expressions: {odd[0]}")
        for one, other in zip(found[0], each, strict=True):
            if (one.union is None) != (other.union is None):
                older, newer = (runs[0], run) if one.union is not None else (run, runs[0])
                raise DataError(
                    f"{older.path} counts {one.id}, which has no true mask, and {newer.path} leaves it out: "
                    f"{older.path} was made by an older version, score it again (`risbench score RUN --split SPLIT`)"
                )
    return found


def draw(
    columns: Sequence[Mapping[str, np.ndarray]],
    images: Sequence[Any],
    metrics: Sequence[Metric],
    *,
    wanted: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Draws:
    """Score several runs on the same resamples.

    Args:
        columns: each run's numbers, see `Metric.terms`, in one order of expressions.
        images: the expressions' image ids.
        metrics: which to take.
        wanted: bool ``(expressions,)``, those that count; by default all.
        resamples: number of bootstrap resamples.
        seed: of the resampling; with the same images the same seed draws the same resamples.
    """
    if wanted is not None:
        places = np.flatnonzero(wanted)
        columns = [{name: values[places] for name, values in run.items()} for run in columns]
        images = [images[place] for place in places.tolist()]
    shape = (len(columns), len(metrics))
    if not len(images):
        return Draws(np.full(shape, np.nan), np.full((resamples, *shape), np.nan), 0)
    cluster = clusters(images)
    sums = np.concatenate([sums_of(metric, run, cluster) for run in columns for metric in metrics], axis=1)
    drawn = resampled(sums, resamples, seed).reshape(resamples, *shape, 2)
    return Draws(_ratio(sums.sum(axis=0).reshape(*shape, 2)), _ratio(drawn), len(sums))


def draw_runs(rows: Sequence[Sequence[Row]], metrics: Sequence[Metric], **more: Any) -> Draws:
    """`draw` for rows in step; see `in_step`."""
    return draw([columns_of(run) for run in rows], [row.image_id for row in rows[0]], metrics, **more)


def difference(value: float, draws: np.ndarray, images: int) -> Difference | None:
    """A difference with its interval and p-value; None where one of the two has nothing to say.

    Args:
        value: over all images.
        draws: over each resample, float64 ``(resamples,)``; NaN where nothing counts.
        images: how many were resampled.
    """
    draws = draws[~np.isnan(draws)]
    if np.isnan(value) or not draws.size:
        return None
    value, draws = (0.0 if abs(value) < _SAME else value), np.where(abs(draws) < _SAME, 0.0, draws)
    low, high = np.percentile(draws, [2.5, 97.5])
    beyond = int(min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0)))
    p = 2 * (1 + beyond) / (1 + draws.size)
    if beyond < _FEW:
        spread = float(draws.std())
        p = min(p, math.erfc(abs(value) / spread / math.sqrt(2)) if spread > 0 else 0.0)
    p = min(1.0, max(p, 2.0 ** (1 - images)))
    return Difference(float(value), round(float(low), _DIGITS), round(float(high), _DIGITS), p)


def holm(ps: Sequence[float]) -> list[float]:
    """The p-values corrected for their number, in the order given."""
    order = np.argsort(ps, kind="stable")
    steps = np.asarray(ps, dtype=np.float64)[order] * np.arange(len(ps), 0, -1)
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(ps) else steps
    return corrected.tolist()


def _ratio(sums: np.ndarray) -> np.ndarray:
    above, below = sums[..., 0], sums[..., 1]
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
