"""The columns of a table: metrics on splits, chosen by the runs' splits or by the name of a column set."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from risbench import UsageError
from risbench.metrics.metric import Metric
from risbench.metrics.metric_names import parse_all

# The splits of the TRIS paper's tables, in their order.
PAPER_SPLITS = (
    "referit_test_5pct",
    *(f"refcoco_{part}" for part in ("val", "testA", "testB")),
    *(f"refcoco+_{part}" for part in ("val", "testA", "testB")),
    *(f"refcocog_{part}" for part in ("val_g", "val_u", "test_u")),
)
SETS: Mapping[str, str] = MappingProxyType({"paper1": "mIoU,P@0.5,PointM", "paper2": "PointIt,Accbox"})


class Column(NamedTuple):
    """One metric on one split."""

    split: str
    metric: Metric


def metrics_of(metrics: str | None, columns: str | None) -> tuple[Metric, ...]:
    """The metrics of a table: the named ones, those of a column set, or all ten.

    Raises:
        UsageError: both are given, or there is no such set or metric.
    """
    if columns is None:
        return parse_all(metrics)
    if columns not in SETS:
        raise UsageError(f"no columns named '{columns}': there are {', '.join(SETS)}")
    if metrics is not None:
        raise UsageError(f"--columns {columns} names the metrics: leave --metrics out")
    return parse_all(SETS[columns])


def splits_of(run: Sequence[str], published: Collection[str], columns: str | None) -> tuple[str, ...]:
    """The splits of a table, in order.

    Args:
        run: the runs' splits, in the given order.
        published: splits with published figures.
        columns: the column set's name. With a set, the paper's splits for which there are figures come first.
    """
    if columns is None:
        return tuple(dict.fromkeys(run))
    known = {*run, *published}
    return tuple(dict.fromkeys([*(split for split in PAPER_SPLITS if split in known), *run]))
