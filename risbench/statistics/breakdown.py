"""Scores of runs by kind of expression: the parts of one slice, each with every run's figures and their intervals.

`risbench.statistics.compare` tests differences between runs on the same parts; here each run has its own figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..datasets.split import Split
from ..errors import UsageError
from ..metrics.metric import Metric
from ..records import Sample
from ..results.columns.rowcolumns import RowColumns, columns_of, distinct
from ..results.rows import Row
from .ratios import intervals
from .slices import slices_of
from .summary import bound, clusters, summarise

BY: Mapping[str, str] = MappingProxyType(
    {
        "length": "words of the expression",
        "area": "share of the image that the true mask covers",
        "category": "class of the object; the twelve most frequent ones",
        "form": "form of the expression; drawn scenes only",
        "position": "whether the expression has a word of position, such as left or first",
        "words": "words of position, attribute and relation; an expression may have several",
        "siblings": "other objects of the same class in the image",
        "ambiguous": "whether another object fits the expression; drawn scenes only",
    }
)
"""The kinds of parts, with what each is a property of."""
_SLICES = {"siblings": "same-class distractors", "position": "words"}


class Part(NamedTuple):
    """Some expressions and the runs' figures on them.

    Attributes:
        name: the part, e.g. ``3 to 4 words``.
        expressions, images: how many there are.
        figures: for each run ``{metric: {"value", "low", "high", "count"}}``, fractions; see `summarise`.
    """

    name: str
    expressions: int
    images: int
    figures: tuple[dict[str, dict[str, Any]], ...]


def parts_of_split(split: Split, samples: Sequence[Sample] | np.ndarray, by: str) -> dict[str, np.ndarray]:
    """The parts of one kind: ``{name: bool (samples,)}``, without empty ones.

    Args:
        split: the split.
        samples: some of its samples, or their places in it; see `slices_of`.
        by: the kind, a key of `BY`.

    Raises:
        UsageError: the split has no such property, as photographs have no ``form``.
    """
    found = slices_of(split, samples).get(_SLICES.get(by, by))
    if found is None:
        raise UsageError(f"--by {by}: the expressions of {split.name} have none; only drawn scenes (shapes_…) have it")
    if by == "position":
        having = found.get("position", np.zeros(len(samples), dtype=bool))
        parts = {"a word of position": having, "no word of position": ~having}
        return {name: flags for name, flags in parts.items() if flags.any()}
    if by == "siblings":
        return {_others(name): flags for name, flags in found.items()}
    return found


def _others(name: str) -> str:
    if name == "class unknown":
        return name
    return f"{'no' if name == '0' else name} other{'' if name in ('0', '1') else 's'}"


def break_down(
    rows: Sequence[Sequence[Row] | RowColumns], parts: Mapping[str, np.ndarray], metrics: Sequence[Metric]
) -> tuple[Part, ...]:
    """The figures of all expressions, then those of each part.

    Args:
        rows: each run's rows, of the same expressions in the same order.
        parts: the parts, bool ``(rows,)`` each.
        metrics: the metrics.
    """
    columns = [columns_of(each) for each in rows]
    images = clusters(RowColumns.of(rows[0]).image_id)
    whole = {"all": np.ones(len(images), dtype=bool), **parts}
    return tuple(
        Part(
            name,
            int(flags.sum()),
            distinct(images[flags]),
            tuple(
                summarise({key: values[flags] for key, values in each.items()}, images[flags], metrics)
                for each in columns
            ),
        )
        for name, flags in whole.items()
    )


def share(flags: np.ndarray, images: Sequence[Any] | np.ndarray) -> dict[str, Any]:
    """The share of expressions that have a property, with its 95 % interval over images.

    Args:
        flags: bool ``(n,)``, at least one.
        images: the expressions' image ids.

    Returns:
        ``{"value", "low", "high", "count"}``, fractions; the count is that of expressions that have it.
    """
    cluster = clusters(images)
    above = np.bincount(cluster, weights=flags.astype(np.float64))[:, None]
    below = np.bincount(cluster).astype(np.float64)[:, None]
    low, high = (bound(each[0]) for each in intervals(above, below))
    return {"value": float(flags.mean()), "low": low, "high": high, "count": int(flags.sum())}
