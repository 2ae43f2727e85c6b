"""Figures that others printed: read in a named source, or derived from printed ones; never made by this program."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ..metrics.metric_names import parse


@dataclass(frozen=True, slots=True)
class Figure:
    """One published figure.

    Attributes:
        method: as the source calls it.
        split: the split, by our name.
        metric: the metric, by our name.
        value: a fraction in [0, 1].
        source: where it was read.
        confidence: ``read`` (printed there) or ``derived`` (computed from printed figures).
        supervision: what the method learnt from, in words.
        note: what to know before comparing, or None.
    """

    method: str
    split: str
    metric: str
    value: float
    source: str
    confidence: str
    supervision: str
    note: str | None = None

    @property
    def citation(self) -> str:
        """The source and its note in one sentence."""
        return self.source if self.note is None else f"{self.source} ({self.note})"


@lru_cache(maxsize=1)
def figures() -> tuple[Figure, ...]:
    """All of them, in the file's order."""
    found = json.loads((files(__name__.rpartition(".")[0]) / "published.json").read_text(encoding="utf-8"))
    return tuple(Figure(**{**entry, "metric": parse(entry["metric"]).name}) for entry in found["reported"])


def figures_on(splits: Collection[str], metrics: Collection[str]) -> tuple[Figure, ...]:
    """Those about some splits and metrics."""
    return tuple(figure for figure in figures() if figure.split in splits and figure.metric in metrics)


def figures_of(method: str, split: str) -> tuple[Figure, ...]:
    """Those of a method on a split; names are the same if they differ in case alone."""
    return tuple(
        figure for figure in figures() if figure.split == split and figure.method.casefold() == method.casefold()
    )
