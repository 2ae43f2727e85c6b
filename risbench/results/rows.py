"""A row: what one expression scored, as it stands in ``rows.jsonl`` and as metrics read it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import DataError

_KINDS: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "id": (str,),
        **dict.fromkeys(("image_id", "ref_id", "sent_id"), (int, str)),
        **dict.fromkeys(("hit_box", "hit_mask"), (bool, type(None))),
        **dict.fromkeys(("box_iou", "seconds"), (float, int, type(None))),
        "missing": (bool,),
    }
)


_MOST = 1 << 53  # pixels, or seconds: larger whole numbers are none that a float can hold


@dataclass(frozen=True, slots=True)
class Row:
    """One expression's scores; None where rules or prediction have nothing to say.

    ``missing`` marks an expression without a prediction, which scores as an empty mask and misses where others point.
    """

    id: str
    image_id: int | str
    ref_id: int | str
    sent_id: int | str
    intersection: int
    union: int
    hit_box: bool | None
    hit_mask: bool | None
    box_iou: float | None
    seconds: float | None = None
    missing: bool = False

    @property
    def iou(self) -> float:
        """Intersection over union; two empty masks score 0."""
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
            )
        except KeyError as error:
            raise DataError(f"{where}: the row has no {error}") from None
        if type(both) is not int or type(either) is not int or not 0 <= both <= either <= _MOST:
            raise DataError(f"{where}: intersection {both!r:.40} and union {either!r:.40} are not pixel counts")
        for name, kinds in _KINDS.items():
            value = getattr(row, name)
            # By type, not isinstance: JSON's true is no number. JSON's NaN is not JSON.
            fits = type(value) in kinds and (type(value) is not float or math.isfinite(value))
            if not fits or (float in kinds and value is not None and abs(value) > _MOST):
                raise DataError(f"{where}: {name} cannot be {value!r:.60}")
        return row


def columns_of(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """The rows' numbers by name, float64 ``(n,)`` each, NaN where a row has none; see `Metric.terms`."""
    missing = np.array([row.missing for row in rows], dtype=bool)
    columns = {
        "intersection": np.array([row.intersection for row in rows], dtype=np.float64),
        "union": np.array([row.union for row in rows], dtype=np.float64),
    }
    for name in ("hit_box", "hit_mask", "box_iou"):
        values = np.array([getattr(row, name) for row in rows], dtype=np.float64)
        # What is missing misses, but only where the others were asked: it must not bring a metric into being.
        if not np.isnan(values[~missing]).all():
            values[missing & np.isnan(values)] = 0.0
        columns[name] = values
    return columns
