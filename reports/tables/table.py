"""The table that every renderer prints, before any markup: runs as lines, metrics as columns.

A column is one metric on one split. Runs that cannot be compared are refused in one column, or marked in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from risbench import Run, UsageError
from risbench.leaderboard.published import figures_on
from risbench.metrics.metric_names import refuse_generalised
from risbench.plain import plain
from risbench.statistics.comparable import mismatch
from risbench.statistics.interval_text import INTERVAL_FORMS, interval_note, interval_text

from ..supervision import GROUPS
from . import efficiency
from .best import places_of
from .columns import PAPER_SPLITS, Column, metrics_of, splits_of
from .lines import Line, Value, measured, reported
from .notes import READS, Footnote, Notes, about_places, about_splits, marks_of_cell, marks_of_mixture, title_marks_of
from .recount import Recount
from .table_options import TableOptions

DASH = "–"
_BUT_SEEDS = "; a mean over seeds has its standard deviation after ±, and no interval"
_TITLE = 100  # characters of a method's name; a longer one is cut, and whole in CSV and JSON


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure.

    Attributes:
        text: as printed, not escaped.
        value: the printed value; None for a dash and for costs.
        place: 1 for the best of its column, 2 for the second, 0 for others and for a figure that is printed as 0.0.
        marks: the marks of its footnotes.
        interval: its interval as printed after the figure; empty for none.
    """

    text: str
    value: Value | None = None
    place: int = 0
    marks: tuple[str, ...] = ()
    interval: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One printed line: a title with its marks, and as many cells as the table has heads."""

    title: str
    marks: tuple[str, ...]
    cells: tuple[Cell, ...]
    line: Line


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table to be printed.

    Attributes:
        columns: the metrics on splits.
        heads: the columns' titles, with those of costs.
        spans: titles over groups of columns, with the number of columns; with one split there is one over all.
        groups: supervision groups with their rows; if there is only one group, its title is empty.
        notes: the footnotes.
        changed: what was changed by hand in the runs of each row, in the rows' order.
    """

    columns: tuple[Column, ...]
    heads: tuple[str, ...]
    spans: tuple[tuple[str, int], ...]
    groups: tuple[tuple[str, tuple[TableRow, ...]], ...]
    notes: tuple[Footnote, ...]
    changed: tuple[tuple[str, ...], ...] = ()

    @property
    def rows(self) -> tuple[TableRow, ...]:
        """All rows, group after group."""
        return tuple(row for _, rows in self.groups for row in rows)


def table_of(runs: Sequence[Run], options: TableOptions) -> ReportTable:
    """The table of some runs, in percent.

    Args:
        runs: of one split or several.
        options: what it shows.

    Raises:
        UsageError: runs cannot be compared, a metric or column set is unknown, or there are no runs.
    """
    if not runs:
        raise UsageError("a table needs at least one run")
    if options.intervals not in (None, *INTERVAL_FORMS):
        raise UsageError(f"intervals {options.intervals}: must be {' or '.join(INTERVAL_FORMS)}")
    by_split: dict[str, list[Run]] = {}
    for run in runs:
        by_split.setdefault(run.summary["split"], []).append(run)
    mixtures = _mixtures(by_split, options.mixed)
    chosen = metrics_of(options.metrics, options.columns)
    for run in runs:
        refuse_generalised(options.metrics, run.summary.get("without_mask", 0), run.summary["split"])
    names = {metric.name for metric in chosen}
    from_papers = {figure.split for figure in figures_on(PAPER_SPLITS, names)} if options.published else set[str]()
    splits = splits_of([run.summary["split"] for run in runs], from_papers, options.columns)
    all_columns = tuple(Column(split, metric) for split in splits for metric in chosen)
    lines = measured(runs, all_columns)
    if options.published:
        lines += reported(figures_on(splits, names), all_columns)
    lines.sort(key=lambda line: list(GROUPS).index(line.supervision.group))  # as printed, so notes come in order
    recount, notes = Recount(), Notes()
    about_splits(notes, runs, recount)
    places = places_of(lines, all_columns, recount, mixtures)
    about_places(notes, lines, places)
    _about_seeds(notes, lines)
    if options.intervals is not None and any(_interval(value, options.intervals) for value in _values_of(lines)):
        seeds = any(value.sd is not None for value in _values_of(lines))
        notes.add(f"{interval_note(options.intervals)}{_BUT_SEEDS if seeds else ''}.")
    costs = [efficiency.cost_of(line) for line in lines] if options.efficiency else []
    rows: dict[str, list[TableRow]] = {key: [] for key in GROUPS}
    for number, line in enumerate(lines):
        cells = []
        for column in all_columns:
            value, place = line.values.get(column), places[column]
            marks = marks_of_cell(notes, line, column, recount)
            if column.split in mixtures:
                marks += marks_of_mixture(notes, by_split[column.split][0], line, column.split)
            rank, text = 1 if number in place.best else 2 if number in place.second else 0, _printed(value)
            rank = 0 if text.partition(" ")[0] == "0.0" else rank  # a mark on it would praise a zero
            cells.append(Cell(text, value, rank, marks, _interval(value, options.intervals)))
        title_marks = title_marks_of(notes, line, all_columns, recount)
        if options.efficiency:
            cells += [Cell(DASH if figure is None else f"{figure:.1f}") for figure in costs[number].cells()]
            title_marks += efficiency.hardware_marks(notes, costs, number)
        rows[line.supervision.group].append(TableRow(plain(line.title, _TITLE), title_marks, tuple(cells), line))
    what = sorted({item for line in lines for item in line.reads})
    if what:
        notes.mark(f"looks at more than image and text: {', '.join(what)}; does not compete.", READS)
    heads = [column.metric.name for column in all_columns] + list(efficiency.HEADS if options.efficiency else ())
    spans = [(split, len(chosen)) for split in splits] + (
        [("cost", len(efficiency.HEADS))] if options.efficiency else []
    )
    groups = [(title, tuple(rows[key])) for key, title in GROUPS.items() if rows[key]]
    if len(groups) == 1:
        groups = [("", groups[0][1])]
    changed = tuple(
        tuple(change.text for run in _runs_of(row.line) for change in recount.changes(run))
        for _, members in groups
        for row in members
    )
    return ReportTable(all_columns, tuple(heads), tuple(spans), tuple(groups), notes.all(), changed)


def _runs_of(line: Line) -> list[Run]:
    return [run for group in line.runs.values() for run in group]


def _mixtures(by_split: dict[str, list[Run]], mixed: bool) -> set[str]:
    """The splits whose runs cannot be compared.

    Raises:
        UsageError: there are some, and ``mixed`` is False.
    """
    found = set[str]()
    for split, (first, *others) in by_split.items():
        for run in others:
            if differs := mismatch(first, run):
                if not mixed:
                    raise UsageError(
                        f"{first.path} and {run.path} are of {differs}: one table cannot hold both "
                        "(--mixed puts them there, with a footnote)"
                    )
                found.add(split)
    return found


def _printed(value: Value | None) -> str:
    if value is None:
        return DASH
    return f"{100 * value.value:.1f}" + ("" if value.sd is None else f" ± {100 * value.sd:.1f}")


def _interval(value: Value | None, form: str | None) -> str:
    if value is None or form is None:
        return ""
    return interval_text(value.value, value.low, value.high, form)


def _values_of(lines: Sequence[Line]) -> list[Value]:
    return [value for line in lines for value in line.values.values()]


def _about_seeds(notes: Notes, lines: Sequence[Line]) -> None:
    counts: dict[int, list[str]] = {}
    for line in lines:
        for group in line.runs.values():
            if len(group) > 1 and line.title not in counts.setdefault(len(group), []):
                counts[len(group)].append(line.title)
    for count, titles in counts.items():
        notes.add(f"Mean ± standard deviation over {count} seeds: {', '.join(titles)}.")
    beside = {split for line in lines if line.competes for split, group in line.runs.items() if len(group) > 1}
    alone = [
        line.title
        for line in lines
        if line.competes
        and line.supervision.learned
        and any(len(group) == 1 and split in beside for split, group in line.runs.items())
    ]
    if alone:
        notes.add(
            f"One run, whose variance between seeds is unknown: {', '.join(dict.fromkeys(alone))}. Tests against a "
            "mean over seeds take it to be that line's."
        )
