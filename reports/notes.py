"""Footnotes: what a reader must know to read a table rightly, each under a mark or, said of all, under none."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from risbench import Run
from risbench.comparable import difference, limit_of, truth_note, truth_of
from risbench.results.rows import truth_notes

from .best import Places
from .columns import Column
from .lines import Line, metrics_in
from .recount import Recount

READS, REPORTED, DERIVED = "*", "†", "‡"
_SIGNS = READS + REPORTED + DERIVED


class Note(NamedTuple):
    """A footnote and the mark it goes by; no mark if it is about the whole table."""

    mark: str
    text: str


class Notes:
    """Collects footnotes; the same text twice is one note."""

    def __init__(self) -> None:
        self._plain: list[str] = []
        self._marked: dict[str, str] = {}

    def add(self, text: str) -> None:
        """A note about the whole table."""
        if text not in self._plain:
            self._plain.append(text)

    def mark(self, text: str, mark: str | None = None) -> str:
        """The mark of a note, the next free letter unless one is given."""
        if text not in self._marked:
            used, letters = sum(found not in _SIGNS for found in self._marked.values()), string.ascii_lowercase
            self._marked[text] = mark or (letters[used // 26 - 1] if used > 25 else "") + letters[used % 26]
        return self._marked[text]

    def all(self) -> tuple[Note, ...]:
        """The notes: first those about the whole table, then the signs, then the letters."""
        marked = sorted(self._marked.items(), key=lambda item: _SIGNS.find(item[1]) % (len(_SIGNS) + 1))
        return (*(Note("", text) for text in self._plain), *(Note(mark, text) for text, mark in marked))


def about_splits(notes: Notes, runs: Sequence[Run], recount: Recount) -> None:
    """Say what the columns are of: counts, rules, drawn scenes, partial copies."""
    splits: dict[str, Run] = {}
    for run in runs:
        splits.setdefault(run.summary["split"], run)
    for split, run in splits.items():
        images = run.header["split"]["counts"]["images"]
        if recount.has_rows(run):
            images = len({row.image_id for row in recount.rows(run)})
        notes.add(f"{split}: {run.summary['count']} expressions about {images} images, in percent.")
    rules: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        found = rules.setdefault((run.summary["rules"]["name"], run.summary["rules"]["text"]), [])
        found += [run.summary["split"]] if run.summary["split"] not in found else []
    for (name, text), where in rules.items():
        notes.add(f"Rules {name}{'' if len(rules) == 1 else ' (' + ', '.join(where) + ')'}: {text}.")
    drawn = [split for split in splits if split.startswith("shapes_")]
    if drawn:
        which = "" if len(drawn) == len(splits) else f" ({', '.join(drawn)})"
        notes.add(f"Drawn scenes{which}, made by risbench; not comparable with photographs.")
    truths: dict[str, list[str]] = {}
    for run in runs:
        if (said := truth_note(run.header)) is not None:
            truths.setdefault(said, []).append(run.summary["split"])
    for said, where in truths.items():
        which = "" if len(splits) == 1 else f" ({', '.join(dict.fromkeys(where))})"
        notes.add(f"{said}{which}.")
    for run in runs:
        for text in truth_notes(run.summary, run.summary["rules"]["name"]):
            notes.add(f"{'' if len(splits) == 1 else run.summary['split'] + ': '}{text}.")
    partial = list(dict.fromkeys(run.summary["split"] for run in runs if run.summary["partial"]))
    if partial:
        which = "" if len(splits) == 1 else f" ({', '.join(partial)})"
        notes.add(f"PARTIAL{which}: not the whole split; not comparable with published figures.")


def about_places(notes: Notes, lines: Sequence[Line], places: Mapping[Column, Places]) -> None:
    """Say what bold and underlined mean, and who shares a place."""
    columns = [column for column in places if sum(line.competes and column in line.values for line in lines) > 1]
    if not columns:
        return
    if all(places[column].tested for column in columns):
        notes.add(
            "Bold: best, underlined: second; lines that a paired bootstrap over images cannot tell apart (5 %, Holm) "
            "share a place."
        )
    else:
        notes.add("Bold: best, underlined: second, by the printed figure; there are no rows to test the differences.")
    ties: dict[tuple[str, ...], list[Column]] = {}
    for column in columns:
        best, second, _ = places[column]
        # Nobody wins a column in which all are level.
        level = best or frozenset(place for place, line in enumerate(lines) if line.competes and column in line.values)
        for group in (level, second):
            if len(group) > 1:
                ties.setdefault(tuple(lines[place].title for place in sorted(group)), []).append(column)
    several = len({column.split for column in places}) > 1
    for titles, where in ties.items():
        said = ", ".join(f"{column.split} {column.metric.name}" if several else column.metric.name for column in where)
        notes.add(f"Not told apart in {said}: {', '.join(titles)}.")


def marks_of(notes: Notes, line: Line) -> tuple[str, ...]:
    """The marks of a line's title."""
    marks: list[str] = [READS] if line.reads else []
    if line.reported:
        marks.append(notes.mark("as reported, not run here; the protocol may be another.", REPORTED))
        if len(sources := _sources(line)) == 1:
            marks.append(notes.mark(f"{sources.pop()}."))
    if line.supervision.extra:
        marks.append(notes.mark(f"besides: {line.supervision.extra}."))
    for run in [run for group in line.runs.values() for run in group]:
        if run.summary["missing"]:
            text = f"{run.summary['missing']} expressions without a prediction count as empty masks."
            marks.append(notes.mark(text))
        threshold = run.header["rules"]["threshold"]
        if threshold is not None:
            whose = "the method's" if threshold == run.header["method"]["card"].get("threshold") else "a chosen"
            marks.append(notes.mark(f"heats cut at {whose} threshold {threshold:g}."))
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
        if recount.has_rows(run) and (changed := _changed(run, column, recount)):
            marks.append(notes.mark(changed))
    return tuple(dict.fromkeys(marks))


def marks_of_mixture(notes: Notes, first: Run, line: Line, split: str) -> tuple[str, ...]:
    """The marks of a line whose run in a column is unlike the column's first run."""
    marks = []
    for run in line.runs.get(split, ()):
        if found := difference(first, run):
            state = "partial" if run.summary["partial"] else "complete"
            about = f"{state}, {limit_of(run)}, rules {run.header['rules']['name']}"
            if run.header.get("truth") != first.header.get("truth"):
                about += f", truth {truth_of(run)}"
            marks.append(notes.mark(f"MIXED on {split}: {found}; this line is {about}. Not comparable."))
    return tuple(dict.fromkeys(marks))


def _sources(line: Line) -> set[str]:
    return {value.figure.citation for value in line.values.values() if value.figure is not None}


def _changed(run: Run, column: Column, recount: Recount) -> str | None:
    """A note where the summary and the rows of a run do not agree: somebody changed the folder."""
    name = column.metric.name
    counted, said = recount.value(run, column.metric), metrics_in(run, [column.metric])[name]["value"]
    if counted == said or (counted is not None and said is not None and abs(counted - said) < 1e-9):
        return None
    rows = "nothing" if counted is None else f"{100 * counted:.3f}"
    return f"CHANGED: the rows of {run.path.name} give {rows} for {name}, its summary says otherwise."
