"""The board: a folder of files ``<split>/<method>.json``, and the rankings made from it.

Entries are ranked among those with the same rules on the same files. Methods that read the truth, and controls, are
listed without a rank. Published figures are shown beside measured ones, or below if the method was not measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..metrics.metric import Metric
from ..metrics.rules.protocols import identity_of
from .entry import read
from .published import Figure, figures_on


@dataclass(frozen=True, slots=True)
class Rank:
    """One line of a ranking.

    Attributes:
        rank: from 1, shared by equal values; None if the method is not ranked.
        method: its name.
        entry: the measured entry; None if there are only published figures.
        values: the measured ``{"value", "low", "high", "count"}`` by metric.
        reported: the published figures by metric.
    """

    rank: int | None
    method: str
    entry: dict[str, Any] | None
    values: dict[str, dict[str, Any]]
    reported: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The entries of one split under one set of rules; ``rules`` is None if there are only published figures."""

    split: str
    rules: dict[str, Any] | None
    counts: dict[str, Any]
    metrics: tuple[str, ...]
    places: tuple[Rank, ...]


def entries_in(board: Path, split: str | None = None) -> list[dict[str, Any]]:
    """The checked entries of a board, by split and method.

    Raises:
        DataError: the folder is absent, or an entry is broken, by name.
    """
    if not board.is_dir():
        raise DataError(f"{board} is not a board: no such folder; `risbench submit RUN --board DIR` makes one")
    return [read(path) for path in sorted(board.glob("*/*.json")) if split in (None, path.parent.name)]


def rankings_of(
    entries: Sequence[dict[str, Any]], metrics: Sequence[Metric], split: str | None = None
) -> list[Ranking]:
    """The rankings of a board, by the first metric.

    Args:
        entries: checked entries.
        metrics: the columns; the first one ranks.
        split: a split to list even if it has no entry.
    """
    names = tuple(metric.name for metric in metrics)
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for entry in entries:
        measured = entry["measured"]
        files = tuple(sorted((source["file"], source["sha256"]) for source in measured["inputs"]))
        key = (entry["split"], identity_of({**measured["rules"], "threshold": None}), files)
        groups.setdefault(key, []).append(entry)
    rankings = [_ranking(key[0], group, names) for key, group in groups.items()]
    for name in [split] if split is not None else []:
        if not any(ranking.split == name for ranking in rankings) and (rest := _reported_only(name, names, set())):
            rankings.append(Ranking(name, None, {}, names, tuple(rest)))
    return rankings


def _ranking(split: str, entries: Sequence[dict[str, Any]], metrics: tuple[str, ...]) -> Ranking:
    ordered = sorted(entries, key=lambda entry: (-_value(entry, metrics[0]), entry["method"]))
    places, rank, values = [], 0, []
    for entry in ordered:
        value = _value(entry, metrics[0])
        competes = value >= 0 and not entry["measured"]["card"].get("reads") and entry["measured"]["texts"] == "given"
        if competes:
            values.append(value)
            rank = rank if len(values) > 1 and values[-2] == value else len(values)
        figures = {
            figure["metric"]: Figure(method=entry["method"], split=split, **figure) for figure in entry["reported"]
        }
        found = entry["measured"]["metrics"]
        shown = {name: found[name] for name in metrics if name in found}
        places.append(Rank(rank if competes else None, entry["method"], entry, shown, figures))
    known = {entry["method"].casefold() for entry in entries}
    first = ordered[0]["measured"]
    rest = _reported_only(split, metrics, known)
    return Ranking(split, first["rules"], first["counts"], metrics, (*places, *rest))


def _value(entry: dict[str, Any], metric: str) -> float:
    number = entry["measured"]["metrics"].get(metric)
    return -1.0 if number is None or number["value"] is None else number["value"]


def _reported_only(split: str, metrics: tuple[str, ...], known: set[str]) -> list[Rank]:
    """Published figures of methods that were not measured here; without a rank, because the protocols may differ."""
    methods: dict[str, dict[str, Figure]] = {}
    for figure in figures_on([split], metrics):
        if figure.method.casefold() not in known:
            methods.setdefault(figure.method, {})[figure.metric] = figure
    return [Rank(None, method, None, {}, figures) for method, figures in methods.items()]
