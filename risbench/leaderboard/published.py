"""Published figures: read in a named source, or derived from published ones; never measured by this program."""

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
        method: the method's name in the source.
        split: the split, by risbench's name.
        metric: the metric, by risbench's name.
        value: a fraction in [0, 1].
        source: where it was read.
        confidence: ``read`` (printed in the source) or ``derived`` (computed from printed figures).
        supervision: what the method was trained with, in words.
        note: what a reader should know before comparing, or None.
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
    """All published figures, in the file's order."""
    found = json.loads((files(__name__.rpartition(".")[0]) / "published.json").read_text(encoding="utf-8"))
    return tuple(Figure(**{**entry, "metric": parse(entry["metric"]).name}) for entry in found["reported"])


def figures_on(splits: Collection[str], metrics: Collection[str]) -> tuple[Figure, ...]:
    """The published figures on some splits and metrics."""
    return tuple(figure for figure in figures() if figure.split in splits and figure.metric in metrics)


def figures_of(method: str, split: str) -> tuple[Figure, ...]:
    """The published figures of a method on a split; the case of the name does not matter."""
    return tuple(
        figure for figure in figures() if figure.split == split and figure.method.casefold() == method.casefold()
    )
