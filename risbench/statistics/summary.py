"""The metrics of rows with their intervals, as `summary.json` holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..metrics.metric import Metric
from ..results.columns.rowcolumns import RowColumns, columns_of
from .interval_text import interval_text
from .ratios import intervals


def summarise(
    columns: Mapping[str, np.ndarray], images: Sequence[Any] | np.ndarray, metrics: Sequence[Metric]
) -> dict[str, dict[str, float | int | None]]:
    """Value, 95 % interval and count of each metric; see `risbench.statistics.ratios`.

    Args:
        columns: the rows' numbers, see `Metric.terms`; float64 ``(n,)`` each.
        images: the rows' image ids.
        metrics: the metrics.

    Returns:
        ``{name: {"value", "low", "high", "count"}}``, fractions in [0, 1]. The value is None if no expression counts;
        the bounds are None if fewer than two images count.
    """
    cluster = clusters(images)
    summary: dict[str, dict[str, float | int | None]] = {}
    for metric in metrics:
        if not len(cluster) or not metric.counted(columns):
            summary[metric.name] = {"value": None, "low": None, "high": None, "count": 0}
            continue
        above, below = metric.terms(columns)
        total = math.fsum(below)
        value = math.fsum(above) / total if total else 0.0
        sums = sums_of(metric, columns, cluster)
        low, high = (bound(each[0]) for each in intervals(sums[:, :1], sums[:, 1:]))
        summary[metric.name] = {"value": value, "low": low, "high": high, "count": metric.counted(columns)}
    return summary


def summarise_rows(rows: RowColumns, metrics: Sequence[Metric]) -> dict[str, dict[str, float | int | None]]:
    """`summarise` of rows in any order: sums are taken in the order of their ids, so that they have the same bits."""
    order, numbers = rows.ids.order(), columns_of(rows)
    for name in list(numbers):  # one after the other, so that no column is there twice for long
        numbers[name] = numbers[name][order]
    return summarise(numbers, rows.image_id[order], metrics)


def bound(number: float) -> float | None:
    """A bound as records hold it: None where there is none."""
    return None if math.isnan(number) else float(number)


def with_interval(number: Mapping[str, Any], form: str | None = None) -> str:
    """A metric of a summary in percent, as in ``12.3 (10.1 to 14.5)``; without bounds if it has none, else a dash.

    Args:
        number: value, low and high as fractions.
        form: another form of the interval; see `risbench.statistics.interval_text`.
    """
    if number["value"] is None:
        return "–"
    if form is not None:
        interval = interval_text(number["value"], number["low"], number["high"], form)
        return f"{100 * number['value']:.1f} {interval}".strip()
    bounds = "" if number["low"] is None else f" ({100 * number['low']:.1f} to {100 * number['high']:.1f})"
    return f"{100 * number['value']:.1f}{bounds}"


def clusters(images: Sequence[Any] | np.ndarray) -> np.ndarray:
    """A number for each row's image, counted from 0 in order of first appearance: int64 ``(n,)``."""
    if isinstance(images, np.ndarray) and images.dtype == np.int64:
        _, first, inverse = np.unique(images, return_index=True, return_inverse=True)
        number = np.empty(len(first), dtype=np.int64)
        number[np.argsort(first)] = np.arange(len(first))
        return number[inverse]
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(image, len(numbers)) for image in images], dtype=np.int64)


def sums_of(metric: Metric, columns: Mapping[str, np.ndarray], cluster: np.ndarray) -> np.ndarray:
    """Each image's sums of numerator and weight: float64 ``(images, 2)``."""
    above, below = metric.terms(columns)
    return np.stack([np.bincount(cluster, weights=above), np.bincount(cluster, weights=below)], axis=1)
