"""A row: the scores of one expression, as ``rows.jsonl`` stores them and as metrics read them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import DataError
from ..plain import counted
from . import jsonlines

_KINDS: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "id": (str,),
        **dict.fromkeys(("image_id", "ref_id", "sent_id"), (int, str)),
        **dict.fromkeys(("hit_box", "hit_mask"), (bool, type(None))),
        **dict.fromkeys(("box_iou", "seconds"), (float, int, type(None))),
        **dict.fromkeys(("missing", "empty_truth", "no_target"), (bool,)),
    }
)


_MOST = 1 << 53  # pixels, or seconds: a float cannot hold every integer above it


@dataclass(frozen=True, slots=True)
class Row:
    """One expression's scores; None where the rules, the prediction or the truth do not give one.

    A row shows what truth its expression has. ``union`` is None if there is no true mask. ``box_iou`` is None if there
    is no true box, or the rules score no boxes (``lavt``). With a true box, ``hit_box`` is None if the prediction has
    no point; with a true mask, the same holds for ``hit_mask``.

    ``no_target`` marks an expression that refers to nothing: for it an empty mask has no union, and any other mask has
    IoU 0. ``missing`` marks an expression without a prediction: it scores as an empty mask, and as a miss if other
    predictions have points. ``empty_truth`` marks an object whose true mask has no pixel under the rules, so that every
    prediction scores 0.
    """

    id: str
    image_id: int | str
    ref_id: int | str
    sent_id: int | str
    intersection: int | None
    union: int | None
    hit_box: bool | None
    hit_mask: bool | None
    box_iou: float | None
    seconds: float | None = None
    missing: bool = False
    empty_truth: bool = False
    no_target: bool = False

    @property
    def without_mask(self) -> bool:
        """Whether the expression has no true mask."""
        return self.union is None or self.no_target

    @property
    def iou(self) -> float | None:
        """Intersection over union; two empty masks score 0. None without a true mask."""
        if self.intersection is None or self.union is None:
            return None
        return self.intersection / self.union if self.union else 0.0

    def as_line(self) -> str:
        """The row as one line of JSON."""
        line: dict[str, Any] = {
            "id": self.id,
            "image_id": self.image_id,
            "ref_id": self.ref_id,
            "sent_id": self.sent_id,
            "intersection": self.intersection,
            "union": self.union,
            "hit_box": self.hit_box,
            "hit_mask": self.hit_mask,
            "box_iou": self.box_iou,
            "box_hit": None if self.box_iou is None else self.box_iou > 0.5,
            "seconds": None if self.seconds is None else round(self.seconds, 6),
        }
        if self.missing:
            line["missing"] = True
        if self.empty_truth:
            line["empty_truth"] = True
        if self.no_target:
            line["no_target"] = True
        return json.dumps(line, ensure_ascii=False)

    @staticmethod
    def from_json(line: Mapping[str, Any], where: str) -> Row:
        """The row that a parsed line holds.

        Raises:
            DataError: a key is absent or a number is not one; ``where`` names the line.
        """
        try:
            both, either, box_iou = line["intersection"], line["union"], line["box_iou"]
            row = Row(
                id=line["id"],
                image_id=line["image_id"],
                ref_id=line["ref_id"],
                sent_id=line["sent_id"],
                intersection=both,
                union=either,
                hit_box=line["hit_box"],
                hit_mask=line["hit_mask"],
                box_iou=float(box_iou) if type(box_iou) is int and -1 <= box_iou <= 1 else box_iou,
                seconds=line.get("seconds"),
                missing=line.get("missing", False),
                empty_truth=line.get("empty_truth", False),
                no_target=line.get("no_target", False),
            )
        except KeyError as error:
            raise DataError(f"{where}: the row has no {error}") from None
        if (both is not None or either is not None) and (
            type(both) is not int or type(either) is not int or not 0 <= both <= either <= _MOST
        ):
            raise DataError(f"{where}: intersection {both!r:.40} and union {either!r:.40} are not pixel counts")
        for name, kinds in _KINDS.items():
            value = getattr(row, name)
            # By type, not isinstance: JSON's true is no number. JSON's NaN is not JSON.
            fits = type(value) in kinds and (type(value) is not float or math.isfinite(value))
            if not fits or (float in kinds and value is not None and abs(value) > _MOST):
                raise DataError(f"{where}: {name} cannot be {value!r:.60}")
        return row


def read_rows(path: Path) -> Iterable[Row]:
    """The rows of a file, in its order."""
    for number, line in jsonlines.read(path):
        yield Row.from_json(line, f"{path}, line {number}")


TRUTH_COUNTS = ("without_mask", "without_box", "empty_truth")
ANSWER_COUNTS = ("no_target_answered", "without_point")


def truth_notes(counts: Mapping[str, Any], rules: str) -> list[str]:
    """Notes about expressions that lack a part of the truth, one sentence each.

    Args:
        counts: a run's summary, or the result of `risbench.results.columns.rowcolumns.left_out_counts`.
        rules: the name of the rules.
    """
    notes = []
    if count := counts.get("without_mask"):
        notes.append(f"{_expressions(count)} no true mask: left out of mIoU, oIoU, P@k and PointM")
    if count := counts.get("without_box"):
        notes.append(f"{_expressions(count)} no true box: left out of PointIt and Accbox")
    if count := counts.get("empty_truth"):
        notes.append(
            f"{_expressions(count)} a true mask that covers no pixel under rules {rules}: every answer scores 0 "
            "(`risbench data check SPLIT --deep` names the annotations)"
        )
    return notes


def answer_notes(counts: Mapping[str, Any]) -> list[str]:
    """Notes about one run's predictions, one sentence each; `left_out_counts` has the keys."""
    notes = []
    if count := counts.get("no_target_answered"):
        notes.append(f"masks predicted for expressions without a target: {count}, each counts as IoU 0")
    if count := counts.get("without_point"):
        notes.append(f"predictions without a point: {count}, each counts as a miss in PointIt and PointM")
    return notes


def _expressions(count: int) -> str:
    return counted(count, "expression has", "expressions have")
