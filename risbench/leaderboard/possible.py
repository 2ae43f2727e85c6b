"""Whether the figures of an entry can all be true at once; mistyped or altered figures often cannot.

- A value lies within its own interval.
- P@k and Accbox@k cannot rise with k.
- mIoU is a mean, so P@k bounds it: an expression with an IoU of k or more adds between k and 1, and any other
  expression adds less than k.
- No metric counts more expressions than were scored, and no more were scored than the split has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..errors import DataError
from ..metrics.metric import Metric
from ..metrics.metric_names import parse
from ..plain import counted

_SLACK = 1e-6  # bounds are rounded to six digits


def refuse_impossible(measured: Mapping[str, Any], where: str) -> None:
    """Refuse figures that contradict each other.

    Args:
        measured: the part ``measured`` of an entry whose types were checked.
        where: the entry's file, for the message.

    Raises:
        DataError: the first contradiction.
    """
    metrics: Mapping[str, Mapping[str, Any]] = measured["metrics"]
    for found in (*_of_counts(measured), *_of_intervals(metrics), *_of_levels(metrics), *_of_mean(metrics)):
        raise DataError(f"{where}: measured.metrics: {found}: no run can give this")


def _of_counts(measured: Mapping[str, Any]) -> Iterator[str]:
    whole, count = measured["counts"]["expressions"], measured["count"]
    if whole is not None and count > whole:
        yield f"{counted(count, 'expression was', 'expressions were')} scored of {whole}"
    for name, number in measured["metrics"].items():
        if number["count"] > count or number["count"] < 0:
            yield f"{name} counts {number['count']} of {counted(count, 'expression')}"


def _of_intervals(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, number in metrics.items():
        value, low, high = (number[key] for key in ("value", "low", "high"))
        if value is None or low is None or high is None:
            # For a single image there is a value but no interval.
            if (low is None) != (high is None) or (value is None and low is not None):
                yield f"{name} has only a part of value, low and high"
        elif not low - _SLACK <= value <= high + _SLACK:
            yield f"{name} is {100 * value:.2f}, outside its interval of {100 * low:.2f} to {100 * high:.2f}"


def _of_levels(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for kind in ("P", "Accbox"):
        for (one, first), (other, second) in pairwise(_by_level(metrics, kind)):
            if first["count"] == second["count"] and second["value"] > first["value"] + _SLACK:
                yield f"{other.name} is {100 * second['value']:.2f}, above {one.name} of {100 * first['value']:.2f}"


def _of_mean(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    mean, levels = metrics.get("mIoU"), _by_level(metrics, "P")
    if mean is None or mean["value"] is None or any(number["count"] != mean["count"] for _, number in levels):
        return
    ks = [0.0, *(metric.level or 0.0 for metric, _ in levels), 1.0]
    shares = [1.0, *(number["value"] for _, number in levels)]
    least = sum((high - low) * share for (low, high), share in zip(pairwise(ks[:-1]), shares[1:], strict=True))
    most = sum((high - low) * share for (low, high), share in zip(pairwise(ks), shares, strict=True))
    if not least - _SLACK <= mean["value"] <= most + _SLACK:
        yield (
            f"mIoU is {100 * mean['value']:.2f}, but with these P@k it lies between {100 * least:.2f} and "
            f"{100 * most:.2f}"
        )


def _by_level(metrics: Mapping[str, Mapping[str, Any]], kind: str) -> Sequence[tuple[Metric, Mapping[str, Any]]]:
    """The metrics of a kind that have a value, from the lowest level up."""
    found = [(parse(name), number) for name, number in metrics.items() if number["value"] is not None]
    return sorted((item for item in found if item[0].kind == kind), key=lambda item: item[0].level or 0.0)
