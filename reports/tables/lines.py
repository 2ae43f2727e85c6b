"""The lines of a table before printing: a method's runs over all columns, or a method's published figures.

Runs that differ only in their split are in one line. Runs that differ only in their seed become a mean and a standard
deviation.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from risbench import Run
from risbench.leaderboard.published import Figure
from risbench.metrics.metric import Metric
from risbench.scorer import summary_of
from risbench.statistics.comparable import truth_name

from ..supervision import Supervision, of_card, supervision_of
from .columns import Column


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a line in a column, as fractions.

    Attributes:
        value: the metric, or its mean over seeds.
        sd: the standard deviation over seeds (n - 1 in the denominator); None for one run.
        count: the number of expressions; None if it is not known.
        low, high: the 95 % interval; None for several runs and for published figures.
        figure: the published figure, or None if it was measured.
    """

    value: float
    sd: float | None = None
    count: int | None = None
    low: float | None = None
    high: float | None = None
    figure: Figure | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        title: the method's name, with the options in which it differs from others of that name.
        supervision: its group, and what else was used.
        reads: what the method uses beyond image and text.
        runs: its runs by split; empty for published figures.
        values: its values by column.
        reported: whether the figures are published ones.
    """

    title: str
    supervision: Supervision
    reads: tuple[str, ...] = ()
    runs: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    values: Mapping[Column, Value] = field(default_factory=dict)
    reported: bool = False

    @property
    def competes(self) -> bool:
        """Whether it may be the best: not if it reads more than image and text, nor if its figures are published."""
        return not self.reported and not self.reads


def measured(runs: Sequence[Run], columns: Sequence[Column]) -> list[Line]:
    """The lines of some runs, in the order of their methods."""
    lines: dict[str, dict[str, list[Run]]] = {}
    several = _with_several_weights(runs)
    truths = {(run.summary["split"], truth_name(run)) for run in runs}
    apart = len(truths) > len({split for split, _ in truths})
    for run in runs:
        method = _method(run)
        key = method + _weights(run) if method in several else method
        # Each split may have its own truth file, but runs of one split with two truths are not repetitions.
        key += truth_name(run) if apart else ""
        lines.setdefault(key, {}).setdefault(run.summary["split"], []).append(run)
    titles = _titles([next(iter(splits.values()))[0] for splits in lines.values()])
    found = []
    for title, splits in zip(titles, lines.values(), strict=True):
        # A second run with the same seed is a repetition, not another seed: it gets a line of its own.
        for turn in range(max(_repeated(group) for group in splits.values())):
            chosen = {split: tuple(_turn(group, turn)) for split, group in splits.items()}
            chosen = {split: group for split, group in chosen.items() if group}
            first = next(iter(chosen.values()))[0]
            card = first.about.method.card
            found.append(
                Line(
                    title if turn == 0 else f"{title} (again: {first.path.name})",
                    of_card(card),
                    _reads(card),
                    chosen,
                    _values(chosen, columns),
                )
            )
    return found


def reported(figures: Sequence[Figure], columns: Sequence[Column]) -> list[Line]:
    """The lines of published figures, one for each method."""
    by_name = {(column.split, column.metric.name): column for column in columns}
    methods: dict[tuple[str, str], dict[Column, Value]] = {}
    for figure in figures:
        values = methods.setdefault((figure.method, figure.supervision), {})
        values[by_name[figure.split, figure.metric]] = Value(figure.value, figure=figure)
    return [
        Line(method, supervision_of(words), values=values, reported=True) for (method, words), values in methods.items()
    ]


def metrics_in(run: Run, metrics: Sequence[Metric]) -> Mapping[str, Mapping[str, Any]]:
    """A run's figures: those in its summary, and the others computed from its rows."""
    found = run.summary["metrics"]
    absent = [metric for metric in metrics if metric.name not in found]
    return {**found, **summary_of(run.columns(), absent)} if absent else found


def seed_of(run: Run) -> Any:
    """The run's seed; None if the method has none."""
    return run.about.arguments.options.get("seed")


def _method(run: Run) -> str:
    """A key that is equal for runs of one method, whatever their seed, split and weights."""
    header = run.about
    card = {key: value for key, value in header.method.card.items() if not key.startswith("weights")}
    about = [
        header.method.name,
        card,
        header.texts,
        header.refine,
        _options(run),
        _threshold(run),
        header.limit,
        header.chosen,
    ]
    return json.dumps([*about, header.rules.name], sort_keys=True, default=str)


def _weights(run: Run) -> str:
    card = run.about.method.card
    about = [run.about.arguments.weights, {key: card[key] for key in card if key.startswith("weights")}]
    return json.dumps(about, sort_keys=True, default=str)


def _with_several_weights(runs: Sequence[Run]) -> set[str]:
    """The methods that have several weights on one split; weights that differ only between splits do not count."""
    found: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        found.setdefault((_method(run), run.summary["split"]), set()).add(_weights(run))
    return {method for (method, _), weights in found.items() if len(weights) > 1}


def _options(run: Run) -> dict[str, Any]:
    return {key: value for key, value in run.about.arguments.options.items() if key != "seed"}


def _threshold(run: Run) -> float | None:
    """The threshold, if the user chose it; None for the card's own under ``clean``."""
    threshold = run.about.rules.threshold
    return None if threshold == run.about.method.card.get("threshold") else threshold


def _titles(runs: Sequence[Run]) -> list[str]:
    """The methods' names, with the options in which runs of one name differ."""
    names = [run.summary["method"] for run in runs]
    found = []
    for run, name in zip(runs, names, strict=True):
        about = [] if run.summary["texts"] == "given" else [f"texts {run.summary['texts']}"]
        about += [f"refine {refine}"] if (refine := run.about.refine) else []
        namesakes = [_arguments(other) for other, word in zip(runs, names, strict=True) if word == name]
        mine = _arguments(run)
        for key in dict.fromkeys(key for options in namesakes for key in options):
            if any(options.get(key) != mine.get(key) for options in namesakes):
                about.append(f"{key} {_short(mine.get(key))}")
        truths = {truth_name(other) for other, word in zip(runs, names, strict=True) if word == name}
        if len(truths) > 1 and run.about.truth is not None:
            about.append(f"truth {truth_name(run)}")
        thresholds = {_threshold(other) for other, word in zip(runs, names, strict=True) if word == name}
        if len(thresholds) > 1 and _threshold(run) is not None:
            about.append(f"threshold {_threshold(run):g}")
        found.append(f"{name} ({', '.join(about)})" if about else name)
    twice = {title for title in found if found.count(title) > 1}
    return [f"{title} [{run.path.name}]" if title in twice else title for title, run in zip(found, runs, strict=True)]


def _arguments(run: Run) -> dict[str, Any]:
    return {**_options(run), "weights": run.about.arguments.weights}


def _short(value: Any) -> str:
    return "–" if value is None else str(value).rpartition("/")[2]


def _repeated(runs: Sequence[Run]) -> int:
    seeds = [json.dumps(seed_of(run)) for run in runs]
    return max(seeds.count(seed) for seed in seeds)


def _turn(runs: Sequence[Run], turn: int) -> list[Run]:
    """The ``turn``-th run of each seed."""
    counts: dict[str, int] = {}
    chosen = []
    for run in runs:
        key = json.dumps(seed_of(run))
        if counts.get(key, 0) == turn:
            chosen.append(run)
        counts[key] = counts.get(key, 0) + 1
    return chosen


def _reads(card: Mapping[str, Any]) -> tuple[str, ...]:
    reads = card.get("reads") or ()
    return (reads,) if isinstance(reads, str) else tuple(map(str, reads))


def _values(runs: Mapping[str, Sequence[Run]], columns: Sequence[Column]) -> dict[Column, Value]:
    values: dict[Column, Value] = {}
    for split, group in runs.items():
        here = [column for column in columns if column.split == split]
        found = [metrics_in(run, [column.metric for column in here]) for run in group]
        for column in here:
            numbers = [metrics[column.metric.name] for metrics in found]
            known = [number["value"] for number in numbers if number["value"] is not None]
            if len(known) < len(numbers):
                continue  # A mean over only some of the seeds would be misleading.
            one = numbers[0]
            if len(numbers) == 1:
                values[column] = Value(known[0], None, one["count"], one["low"], one["high"])
            else:
                values[column] = Value(statistics.fmean(known), statistics.stdev(known), one["count"])
    return values
