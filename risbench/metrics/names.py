"""The grammar of metric names: every spelling in use is read, one is printed.

A metric is a ratio of two sums over expressions: of a numerator and of a weight. `Metric.terms` gives both for
each row, so halves add up to the whole and intervals need nothing but these sums.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..errors import UsageError

DEFAULT = ("mIoU", "oIoU", "P@0.5", "P@0.6", "P@0.7", "P@0.8", "P@0.9", "PointIt", "PointM", "Accbox")
_DEFINITIONS = MappingProxyType(
    {
        "mIoU": "mean over expressions of intersection over union",
        "oIoU": "sum of intersections over sum of unions, over all expressions",
        "P@k": "share of expressions with IoU >= k",
        "PointIt": "share of expressions whose point (the heat's maximum) lies in the true box",
        "PointM": "share of expressions whose point lies on the true mask",
        "Accbox": "share of expressions whose box overlaps the true box with IoU > 0.5 (Accbox@k: > k)",
    }
)
_PLAIN = {name.lower(): name for name in ("mIoU", "oIoU", "PointIt", "PointM", "Accbox")}
_ALIASES = {"iou": "mIoU", "giou": "mIoU", "ciou": "oIoU"}
_AT = re.compile(r"(p|prec|pr|precision|accbox)@(\d*\.?\d+)", re.IGNORECASE)


def definitions() -> Mapping[str, str]:
    """Each metric's definition by its name."""
    return _DEFINITIONS


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its canonical name; ``level`` is the k of ``P@k`` and ``Accbox@k``."""

    name: str
    kind: str
    level: float | None = None

    def terms(self, columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Numerator and weight of each row.

        Args:
            columns: float64 ``(n,)`` each: ``intersection``, ``union``, ``hit_box``, ``hit_mask``, ``box_iou``; NaN
                where a row has none.

        Returns:
            Two float64 ``(n,)``; rows that do not count have weight 0 and numerator 0.
        """
        both, either = columns["intersection"], columns["union"]
        known = ~np.isnan(either)  # an expression without a true mask has no union
        if self.kind == "oIoU":
            return np.where(known, both, 0.0), np.where(known, either, 0.0)
        if self.kind in ("mIoU", "P"):
            iou = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
            return (iou if self.level is None else (known & (iou >= self.level)).astype(float)), known.astype(float)
        values = columns[{"PointIt": "hit_box", "PointM": "hit_mask", "Accbox": "box_iou"}[self.kind]]
        weight = (~np.isnan(values)).astype(np.float64)
        values = np.where(weight > 0, values, 0.0)
        return (values if self.level is None else (values > self.level).astype(np.float64)), weight

    def counted(self, columns: Mapping[str, np.ndarray]) -> int:
        """How many expressions the metric is taken over."""
        # oIoU weighs an expression by its union; it is none the less one expression.
        if self.kind == "oIoU":
            return int(np.count_nonzero(~np.isnan(columns["union"])))
        return int(self.terms(columns)[1].sum())


def parse(text: str) -> Metric:
    """The metric that a name means; case does not matter.

    Raises:
        UsageError: no such metric, with the nearest name.
    """
    name = text.strip()
    lower = _ALIASES.get(name.lower(), name).lower()
    if lower in _PLAIN:
        kind = _PLAIN[lower]
        return Metric(kind, kind, 0.5 if kind == "Accbox" else None)
    if match := _AT.fullmatch(name):
        level = float(match[2])
        if not 0 <= level <= 1:
            raise UsageError(f"metric '{text}': k is an IoU between 0 and 1")
        if match[1].lower() != "accbox":
            return Metric(f"P@{level:g}", "P", level)
        return Metric("Accbox" if level == 0.5 else f"Accbox@{level:g}", "Accbox", level)
    near = difflib.get_close_matches(lower, [*_PLAIN, *_ALIASES, *(name.lower() for name in DEFAULT)], 1, 0.5)
    known = {**_PLAIN, **_ALIASES, **{name.lower(): name for name in DEFAULT}}
    hint = f"did you mean '{known[near[0]]}'?" if near else f"there are {', '.join(_DEFINITIONS)}"
    raise UsageError(f"no metric named '{text}': {hint}")


def refuse_generalised(texts: str | None, without_mask: int, split: str, more: str = "") -> None:
    """Refuse gIoU and cIoU as names of what is measured where some expressions have no true mask.

    gRefCOCO's gIoU and cIoU count the answers to expressions without a target; here these are left out.

    Args:
        texts: the names as a user gave them.
        without_mask: expressions without a true mask.
        split: the split's name.
        more: what else to say.

    Raises:
        UsageError: such a name, and such expressions.
    """
    if not without_mask:
        return
    for text in (texts or "").split(","):
        if (name := text.strip()).lower() in ("giou", "ciou"):
            plain = _PLAIN[_ALIASES[name.lower()].lower()]
            raise UsageError(
                f"--metrics {name}: {without_mask} expressions of {split} have no true mask; gRefCOCO's {name} counts "
                f"the answers to such, which is not measured here: ask for {plain}, which leaves them out{more}"
            )


def parse_all(texts: str | None) -> tuple[Metric, ...]:
    """A comma-separated list of metrics; None means the default ten."""
    return tuple(parse(text) for text in (texts.split(",") if texts is not None else DEFAULT))
