"""The rows of a run as columns: what statistics read of them, in a tenth of the memory of `Row` objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ...datasets.annotations.sampleids import SampleIds
from ...metrics.rules.protocols import scores_boxes
from ..rows import Row

_NONE = -1  # of a hit that is neither true nor false


@dataclass(frozen=True, slots=True, eq=False)
class RowColumns:
    """The rows' columns, all of one length; see `Row` for what each means.

    Attributes:
        ids: the samples' ids.
        image_id: int64, or of objects if some are texts.
        intersection, union, box_iou: float64, NaN where a row has none.
        hit_box, hit_mask: int8, -1 where a row has none.
        missing, empty_truth, no_target: bool.
    """

    ids: SampleIds
    image_id: np.ndarray
    intersection: np.ndarray
    union: np.ndarray
    hit_box: np.ndarray
    hit_mask: np.ndarray
    box_iou: np.ndarray
    missing: np.ndarray
    empty_truth: np.ndarray
    no_target: np.ndarray

    @staticmethod
    def of(rows: Sequence[Row] | RowColumns) -> RowColumns:
        """Of rows; what is columns already is returned as it is."""
        if isinstance(rows, RowColumns):
            return rows
        numbers = {name: np.array([getattr(row, name) for row in rows], np.float64) for name in _NUMBERS}
        hits = {name: np.array([_hit(getattr(row, name)) for row in rows], np.int8) for name in _HITS}
        marks = {name: np.array([getattr(row, name) for row in rows], bool) for name in _MARKS}
        images = image_column([row.image_id for row in rows])
        return RowColumns(SampleIds.of(row.id for row in rows), images, **numbers, **hits, **marks)

    @staticmethod
    def joined(parts: list[RowColumns]) -> RowColumns:
        """Of pieces in their order; the list is emptied, so that no column is kept twice for long."""
        if not parts:
            return RowColumns.of([])
        columns: dict[str, list[Any]] = {one.name: [getattr(part, one.name) for part in parts] for one in _FIELDS}
        parts.clear()
        found: dict[str, Any] = {"ids": SampleIds.joined([ids.texts for ids in columns.pop("ids")])}
        kind = np.int64 if all(each.dtype == np.int64 for each in columns["image_id"]) else object
        for name in list(columns):
            pieces = columns.pop(name)
            if name == "image_id":
                pieces = [each.astype(kind, copy=False) for each in pieces]
            found[name] = np.concatenate(pieces)
        return RowColumns(**found)

    def __len__(self) -> int:
        return len(self.union)

    def take(self, places: np.ndarray) -> RowColumns:
        """The rows at some places."""
        named = {one.name: getattr(self, one.name)[places] for one in _FIELDS if one.name != "ids"}
        return RowColumns(ids=self.ids.take(places), **named)

    def in_order(self) -> RowColumns:
        """The rows sorted by id."""
        order = self.ids.order()
        return self if (order[1:] > order[:-1]).all() else self.take(order)

    def once(self) -> RowColumns:
        """One row for each id: of several the last one, in the place of the first."""
        places = self.ids.once()
        return self if len(places) == len(self) else self.take(places)

    def like(self, other: RowColumns) -> RowColumns:
        """These rows; ids and images that are those of others are kept once for both."""
        if not self.ids.same(other.ids):
            return self
        shared = replace(self, ids=other.ids)
        same = self.image_id.dtype == other.image_id.dtype and np.array_equal(self.image_id, other.image_id)
        return replace(shared, image_id=other.image_id) if same else shared

    @property
    def without_mask(self) -> np.ndarray:
        """Whether each expression has no true mask."""
        return np.isnan(self.union) | self.no_target

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union, float64; two empty masks score 0, NaN without a true mask."""
        nothing = np.where(np.isnan(self.union), np.nan, 0.0)
        return np.divide(self.intersection, self.union, out=nothing, where=self.union > 0)

    @property
    def abstained(self) -> np.ndarray:
        """Whether each prediction has no point at all; a row without a prediction is not among them."""
        return (self.hit_box == _NONE) & (self.hit_mask == _NONE) & ~self.missing


_FIELDS = fields(RowColumns)
_NUMBERS, _HITS = ("intersection", "union", "box_iou"), ("hit_box", "hit_mask")
_MARKS = ("missing", "empty_truth", "no_target")


def columns_of(rows: Sequence[Row] | RowColumns) -> dict[str, np.ndarray]:
    """The rows' numbers by name, float64 ``(n,)`` each, NaN where a row has none; see `Metric.terms`."""
    of = RowColumns.of(rows)
    columns = {"intersection": of.intersection, "union": of.union}
    for name, truth in (("hit_box", ~np.isnan(of.box_iou)), ("hit_mask", ~of.without_mask)):
        values = getattr(of, name).astype(np.float64)
        values[values == _NONE] = np.nan
        # If any prediction has a point, one without a point is a miss, as a missing prediction is: a method that gives
        # a point only where it is sure must not score above one that always gives a point. If no prediction has a
        # point, there is no metric. Without a truth there is no miss.
        if not np.isnan(values[~of.missing]).all():
            values[np.isnan(values) & truth] = 0.0
        columns[name] = values
    return {**columns, "box_iou": of.box_iou}


def left_out_counts(rows: Sequence[Row] | RowColumns, rules: str) -> dict[str, int]:
    """How many expressions lack a part of the truth, and how many predictions lack a point although others have one.

    The counts are of expressions without a true mask, without a true box, with a true mask that has no pixel, without a
    target but with a predicted mask, and with a prediction that has no point. Counts of 0 are left out.

    Args:
        rows: of a run.
        rules: the name of the rules; under rules that score no boxes, true boxes are not counted.
    """
    of = RowColumns.of(rows)
    counts = {
        "without_mask": of.without_mask,
        "without_box": np.isnan(of.box_iou) & scores_boxes(rules),
        "empty_truth": of.empty_truth,
        "without_point": _without_point(of),
        "no_target_answered": of.no_target & ~np.isnan(of.union),
    }
    return {key: count for key, flags in counts.items() if (count := int(np.count_nonzero(flags)))}


def _without_point(of: RowColumns) -> np.ndarray:
    answered = ~of.missing
    # Only if some prediction has a point, the others are misses; see `columns_of`.
    box, mask = (bool((hits[answered] != _NONE).any()) for hits in (of.hit_box, of.hit_mask))
    no_hit = (box & (of.hit_box == _NONE) & ~np.isnan(of.box_iou)) | (mask & (of.hit_mask == _NONE) & ~of.without_mask)
    return answered & no_hit


def image_column(images: Sequence[Any]) -> np.ndarray:
    """Image ids as int64 if all are whole numbers that fit, else as objects."""
    if all(type(image) is int and -(1 << 63) <= image < 1 << 63 for image in images):
        return np.array(images, dtype=np.int64)
    found = np.empty(len(images), dtype=object)
    found[:] = images
    return found


def distinct(images: np.ndarray) -> int:
    """The number of different image ids."""
    return len(set(images.tolist())) if images.dtype == object else len(np.unique(images))


def _hit(value: bool | None) -> int:
    return _NONE if value is None else int(value)
