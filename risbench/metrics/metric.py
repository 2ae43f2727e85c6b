"""The metrics of referring image segmentation: each definition beside the two sums that it is the ratio of.

Every metric is a ratio of two sums over expressions: of a numerator and of a weight. A definition below is a function
that gives both for each row, so that halves of a run add up to the whole (shards, ranks) and intervals need no more.

What holds for all of them:

- Values are fractions in [0, 1]; tables print percent.
- IoU is the number of pixels in both masks over the number in either. Two empty masks have IoU 0: 0/0 scores 0.
- An expression without a true mask has no part in mIoU, oIoU, P@k and PointM; one without a true box none in PointIt
  and Accbox. They are counted and named beside the figure.
- An expression without a prediction scores as an empty mask. A prediction without a point is a miss if any other
  prediction of the run has a point.
- How a heat becomes a mask, which box is scored, and which end of a box counts is decided by the rules
  (`risbench.metrics.rules`).

A new metric is a function and a `Definition` here, and its name in ``DEFAULT`` if every table should have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Columns = Mapping[str, np.ndarray]
"""Columns of rows, float64 ``(n,)`` each: ``intersection``, ``union``, ``hit_box``, ``hit_mask``, ``box_iou``; NaN
where a row has none. See `risbench.results.columns.rowcolumns.columns_of`."""
Terms = tuple[np.ndarray, np.ndarray]
"""Numerator and weight of each row, float64 ``(n,)``; a row that does not count has 0 in both."""


def mean_iou(columns: Columns, _level: float | None = None) -> Terms:
    """The sum of each expression's IoU, over the number of expressions with a true mask.

    Source: mean IoU as the referring segmentation literature reports it; what TRIS (Liu et al., ICCV 2023) calls IoU.
    """
    known = _has_mask(columns)
    return np.where(known, _iou(columns), 0.0), known.astype(np.float64)


def overall_iou(columns: Columns, _level: float | None = None) -> Terms:
    """The sum of intersections, over the sum of unions: large objects weigh more.

    Source: Hu et al., ECCV 2016, "overall IoU"; what LAVT (Yang et al., CVPR 2022) calls oIoU, and others cIoU.
    """
    known = _has_mask(columns)
    return np.where(known, columns["intersection"], 0.0), np.where(known, columns["union"], 0.0)


def precision(columns: Columns, level: float | None) -> Terms:
    """The number of expressions with IoU at or above a level, over those with a true mask.

    Source: Hu et al., ECCV 2016, "precision@k"; the comparison is >=, as in LAVT's and TRIS's evaluation.
    """
    known = _has_mask(columns)
    return (known & (_iou(columns) >= _needed(level))).astype(np.float64), known.astype(np.float64)


def point_in_box(columns: Columns, _level: float | None = None) -> Terms:
    """The number of expressions whose point lies in the true box, over those with a true box.

    Source: the pointing game of visual grounding (Akbari et al., CVPR 2019), TRIS's PointIt.
    """
    return _share(columns["hit_box"])


def point_in_mask(columns: Columns, _level: float | None = None) -> Terms:
    """The number of expressions whose point lies on the true mask, over those with a true mask.

    Source: Liu et al., ICCV 2023, PointM: a true box may be hit beside the object.
    """
    return _share(columns["hit_mask"])


def box_accuracy(columns: Columns, level: float | None) -> Terms:
    """The number of expressions whose box overlaps the true box with IoU above a level, over those with a true box.

    Source: Acc@0.5 of visual grounding, TRIS's Accbox; the comparison is >, as in its evaluation.
    """
    known = ~np.isnan(columns["box_iou"])
    return (known & (columns["box_iou"] > _needed(level))).astype(np.float64), known.astype(np.float64)


def _has_mask(columns: Columns) -> np.ndarray:
    return ~np.isnan(columns["union"])  # an expression without a true mask has no union


def _iou(columns: Columns) -> np.ndarray:
    both, either = columns["intersection"], columns["union"]
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def _share(hits: np.ndarray) -> Terms:
    known = ~np.isnan(hits)
    return np.where(known, hits, 0.0), known.astype(np.float64)


def _needed(level: float | None) -> float:
    if level is None:
        raise ValueError("the metric needs a level")
    return level


@dataclass(frozen=True, slots=True)
class Definition:
    """What a metric is.

    Attributes:
        kind: the word that its names begin with: ``mIoU``, or ``P`` of ``P@k``.
        text: the definition in one line, as `risbench list metrics` prints it.
        terms: numerator and weight of each row.
        of: the part of a prediction that it scores: ``mask``, ``point`` or ``box``.
        aliases: other names in use.
        takes_level: whether ``@k`` may follow; without ``level`` it must.
        level: the k that a name without ``@k`` has.
    """

    kind: str
    text: str
    terms: Callable[[Columns, float | None], Terms]
    of: Literal["mask", "point", "box"]
    aliases: tuple[str, ...] = ()
    takes_level: bool = False
    level: float | None = None

    @property
    def title(self) -> str:
        """Its name without a level."""
        return f"{self.kind}@k" if self.takes_level and self.level is None else self.kind


_DEFINITIONS = (
    Definition("mIoU", "mean over expressions of intersection over union", mean_iou, "mask", ("IoU", "gIoU")),
    Definition("oIoU", "sum of intersections over sum of unions, over all expressions", overall_iou, "mask", ("cIoU",)),
    Definition(
        "P", "share of expressions with IoU >= k", precision, "mask", ("prec", "pr", "precision"), takes_level=True
    ),
    Definition(
        "PointIt", "share of expressions whose point (the heat's maximum) lies in the true box", point_in_box, "point"
    ),
    Definition("PointM", "share of expressions whose point lies on the true mask", point_in_mask, "point"),
    Definition(
        "Accbox",
        "share of expressions whose box overlaps the true box with IoU > 0.5 (Accbox@k: > k)",
        box_accuracy,
        "box",
        takes_level=True,
        level=0.5,
    ),
)
DEFINITIONS: Mapping[str, Definition] = {one.kind: one for one in _DEFINITIONS}
DEFAULT = ("mIoU", "oIoU", "P@0.5", "P@0.6", "P@0.7", "P@0.8", "P@0.9", "PointIt", "PointM", "Accbox")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its canonical name; ``level`` is the k of ``P@k`` and ``Accbox@k``."""

    name: str
    kind: str
    level: float | None = None

    @property
    def definition(self) -> Definition:
        """What it is."""
        return DEFINITIONS[self.kind]

    def terms(self, columns: Columns) -> Terms:
        """Numerator and weight of each row."""
        return self.definition.terms(columns, self.level)

    def counted(self, columns: Columns) -> int:
        """The number of expressions that the metric is computed over."""
        # oIoU weighs an expression by its union; it is none the less one expression.
        if self.definition.of == "mask":
            return int(np.count_nonzero(_has_mask(columns)))
        return int(self.terms(columns)[1].sum())
