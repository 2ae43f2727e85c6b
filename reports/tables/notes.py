"""Footnotes of a table: each has a mark, except notes about the whole table."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from risbench import Run
from risbench.datasets.catalog import is_drawn
from risbench.metrics.rules.protocols import text_of
from risbench.plain import counted
from risbench.results.columns.rowcolumns import distinct
from risbench.results.origin import unknown_note
from risbench.results.rows import answer_notes, truth_notes
from risbench.statistics.comparable import limit_of, mismatch, truth_name, truth_note

from ..supervision import OUT_OF_ITS_WORLD, out_of_its_world
from .best import Places
from .columns import Column
from .lines import Line
from .recount import Recount

READS, REPORTED, DERIVED = "*", "†", "‡"
_SIGNS = READS + REPORTED + DERIVED


class Footnote(NamedTuple):
    """A footnote and its mark; the mark is empty if the note is about the whole table."""

    mark: str
    text: str


class Notes:
    """Collects footnotes; the same text is added only once."""

    def __init__(self) -> None:
        self._plain: list[str] = []
        self._marked: dict[str, str] = {}

    def add(self, text: str) -> None:
        """Add a note about the whole table."""
        if text not in self._plain:
            self._plain.append(text)

    def mark(self, text: str, mark: str | None = None) -> str:
        """Add a note if it is new, and return its mark: the given one, or the next free letter."""
        if text not in self._marked:
            used, letters = sum(found not in _SIGNS for found in self._marked.values()), string.ascii_lowercase
            self._marked[text] = mark or (letters[used // 26 - 1] if used > 25 else "") + letters[used % 26]
        return self._marked[text]

    def all(self) -> tuple[Footnote, ...]:
        """The notes: first those about the whole table, then the signs, then the letters."""
        marked = sorted(self._marked.items(), key=lambda item: _SIGNS.find(item[1]) % (len(_SIGNS) + 1))
        return (*(Footnote("", text) for text in self._plain), *(Footnote(mark, text) for text, mark in marked))


def about_splits(notes: Notes, runs: Sequence[Run], recount: Recount) -> None:
    """Add notes about the columns: counts, rules, drawn scenes, partial copies."""
    splits: dict[str, Run] = {}
    for run in runs:
        splits.setdefault(run.summary["split"], run)
    for split, run in splits.items():
        images = run.about.split.counts.images
        if recount.has_rows(run):
            images = distinct(recount.rows(run).image_id)
        count = counted(run.summary["count"], "expression")
        about = "" if images is None else f" about {counted(images, 'image')}"
        notes.add(f"{split}: {count}{about}, in percent.")
    rules: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        found = rules.setdefault((run.summary["rules"]["name"], text_of(run.summary["rules"])), [])
        found += [run.summary["split"]] if run.summary["split"] not in found else []
    for (name, text), where in rules.items():
        notes.add(f"Rules {name}{'' if len(rules) == 1 else ' (' + ', '.join(where) + ')'}: {text}.")
    drawn = [split for split in splits if is_drawn(split)]
    if drawn:
        which = "" if len(drawn) == len(splits) else f" ({', '.join(drawn)})"
        notes.add(f"Drawn scenes{which}, made by risbench; not comparable with photographs.")
    truths: dict[str, list[str]] = {}
    for run in runs:
        if (text := truth_note(run.about.truth, run.about.is_part)) is not None:
            truths.setdefault(text, []).append(run.summary["split"])
    for text, where in truths.items():
        which = "" if len(splits) == 1 else f" ({', '.join(dict.fromkeys(where))})"
        notes.add(f"{text}{which}.")
    for run in runs:
        for text in truth_notes(run.summary, run.summary["rules"]["name"]):
            notes.add(f"{'' if len(splits) == 1 else run.summary['split'] + ': '}{text}.")
    partial = list(dict.fromkeys(run.summary["split"] for run in runs if run.summary["partial"]))
    if partial:
        which = "" if len(splits) == 1 else f" ({', '.join(partial)})"
        notes.add(f"PARTIAL{which}: not the whole split; not comparable with published figures.")


def about_places(notes: Notes, lines: Sequence[Line], places: Mapping[Column, Places]) -> None:
    """Add notes about what bold and underlined mean, and which lines share a place."""
    columns = [column for column in places if sum(line.competes and column in line.values for line in lines) > 1]
    mixed = list(dict.fromkeys(column.split for column in columns if places[column].mixed))
    if mixed:
        notes.add(f"Untested on {', '.join(mixed)}: its runs cannot be compared, so no line is the best.")
    columns = [column for column in columns if not places[column].mixed]
    if not columns:
        return
    several = len({column.split for column in places}) > 1
    untested = [column for column in columns if not places[column].tested]
    if len(untested) < len(columns):
        notes.add(
            "Bold: best, underlined: second; lines that a paired test over images does not tell from them (5 %, Holm "
            "over all pairs of a column) share a place. One run says nothing of other seeds; a mean over seeds carries "
            "their variance."
        )
    if untested:
        where = f"In {_named(untested, several)} bold" if len(untested) < len(columns) else "Bold"
        notes.add(f"{where}: best, underlined: second, by the printed figure; the differences could not be tested.")
    ties: dict[tuple[bool, tuple[str, ...]], list[Column]] = {}
    for column in columns:
        best, second = places[column].best, places[column].second
        # If no line differs from the others, all lines share the place.
        level = best or frozenset(place for place, line in enumerate(lines) if line.competes and column in line.values)
        for group in (level, second):
            if len(group) > 1:
                titles = tuple(lines[place].title for place in sorted(group))
                ties.setdefault((places[column].tested, titles), []).append(column)
    for (tested, titles), where in ties.items():
        what = "Not told apart" if tested else "Equal as printed, not tested,"
        notes.add(f"{what} in {_named(where, several)}: {', '.join(titles)}.")


def without_prediction(run: Run) -> str:
    """The note about expressions of a run without a prediction."""
    one = "expression without a prediction counts as an empty mask"
    return counted(run.summary["missing"], one, "expressions without a prediction count as empty masks")


def _named(columns: Sequence[Column], several: bool) -> str:
    """The columns' names, with their splits if the table has several."""
    return ", ".join(f"{column.split} {column.metric.name}" if several else column.metric.name for column in columns)


def title_marks_of(notes: Notes, line: Line, columns: Sequence[Column], recount: Recount) -> tuple[str, ...]:
    """The marks of a line's title; they include changes of metrics that are not among ``columns``."""
    marks: list[str] = [READS] if line.reads else []
    if line.reported:
        marks.append(notes.mark("as reported, not run here; the protocol may be another.", REPORTED))
        if len(sources := _sources(line)) == 1:
            marks.append(notes.mark(f"{sources.pop()}."))
    if line.supervision.extra:
        marks.append(notes.mark(f"besides: {line.supervision.extra}."))
    for run in [run for group in line.runs.values() for run in group]:
        if run.summary["missing"]:
            text = f"{without_prediction(run)}."
            marks.append(notes.mark(text))
        if (unknown := unknown_note(run.about.origin)) is not None:
            marks.append(notes.mark(f"{unknown}."))
        if out_of_its_world(run.about.method.card, run.summary["split"]):
            marks.append(notes.mark(OUT_OF_ITS_WORLD))
        threshold = run.about.rules.threshold
        if threshold is not None:
            whose = "the method's" if threshold == run.about.method.card.get("threshold") else "a chosen"
            marks.append(notes.mark(f"heats cut at {whose} threshold {threshold:g}."))
        marks += [notes.mark(f"CAUTION: {caution}.") for caution in (*answer_notes(run.summary), *run.cautions())]
        shown = {column.metric.name for column in columns if column.split == run.summary["split"]}
        marks += [notes.mark(change.text) for change in recount.changes(run) if change.metric not in shown]
    return tuple(dict.fromkeys(marks))


def marks_of_cell(notes: Notes, line: Line, column: Column, recount: Recount) -> tuple[str, ...]:
    """The marks of one figure."""
    value = line.values.get(column)
    marks: list[str] = []
    if value is not None and value.figure is not None:
        if value.figure.confidence == "derived":
            marks.append(notes.mark("derived from printed figures.", DERIVED))
        if len(_sources(line)) > 1:
            marks.append(notes.mark(f"{value.figure.citation}."))
    for run in line.runs.get(column.split, ()):
        marks += [notes.mark(change.text) for change in recount.changes(run) if change.metric == column.metric.name]
    return tuple(dict.fromkeys(marks))


def marks_of_mixture(notes: Notes, first: Run, line: Line, split: str) -> tuple[str, ...]:
    """The marks of a line whose run cannot be compared with the column's first run."""
    marks = []
    for run in line.runs.get(split, ()):
        if found := mismatch(first, run):
            state = "partial" if run.summary["partial"] else "complete"
            about = f"{state}, {limit_of(run)}, rules {run.about.rules.name}"
            if run.about.truth != first.about.truth:
                about += f", truth {truth_name(run)}"
            marks.append(notes.mark(f"MIXED on {split}: {found}; this line is {about}. Not comparable."))
    return tuple(dict.fromkeys(marks))


def _sources(line: Line) -> set[str]:
    return {value.figure.citation for value in line.values.values() if value.figure is not None}
