"""A table as comma-separated values, for spreadsheets and programs: figures in percent, one line for each method."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from risbench import Run
from risbench.results.rows import ANSWER_COUNTS, TRUTH_COUNTS
from risbench.statistics.compare import Comparison
from risbench.statistics.compared import run_names

from .escapes import harmless
from .table import ReportTable, TableRow, table_of
from .table_options import TableOptions, table_renderer

_LEFT_OUT = {
    "without_mask": "expressions without true mask",
    "without_box": "expressions without true box",
    "empty_truth": "expressions with empty true mask",
    "no_target_answered": "expressions without target that got a mask",
    "without_point": "answers without point",
}
_COUNTED = (*TRUTH_COUNTS, *ANSWER_COUNTS)
_TESTED = (
    *("first (%)", "second (%)", "difference (points)", "difference low (points)", "difference high (points)"),
    *("p", "p (Holm)", "differs"),
)
_ABOUT = ("method", "supervision", "besides", "reads", "origin")


def table_text(runs: Sequence[Run], options: TableOptions) -> str:
    """The table of some runs; see `reports.tables.table`. Absent figures are empty; notes are in the JSON form."""
    table = table_of(runs, options)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    seeds = [any(_sd(row, place) for row in table.rows) for place in range(len(table.columns))]
    heads: list[str] = list(_ABOUT)
    for column, several in zip(table.columns, seeds, strict=True):
        name = f"{column.split} {column.metric.name}"
        heads += [f"{name} (%)", *([f"{name} sd (%)"] if several else [])]
        heads += [f"{name} low (%)", f"{name} high (%)"] if options.intervals else []
    # CSV has no notes, so a mean over fewer expressions than the split has gets columns that say so.
    partly = list(dict.fromkeys(run.summary["split"] for run in runs if any(run.summary.get(key) for key in _COUNTED)))
    # These columns are added only if they are not empty, so that other tables do not change, and a program that reads
    # fixed columns notices them.
    last = {"warnings": [_cautions(row) for row in table.rows], "changed": [" ".join(texts) for texts in table.changed]}
    last = {name: texts for name, texts in last.items() if any(texts)}
    heads += table.heads[len(table.columns) :]
    heads += [f"{split} {_LEFT_OUT[key]}" for split in partly for key in _COUNTED]
    writer.writerow([*heads, *last])
    for row, *texts in zip(table.rows, *last.values(), strict=True):
        left_out = [_left_out(row.line.runs.get(split, ()), key) for split in partly for key in _COUNTED]
        writer.writerow([*_line(row, table, seeds, options.intervals is not None), *left_out, *map(harmless, texts)])
    return stream.getvalue().rstrip("\n")


def comparison_text(found: Comparison, *, intervals: str | None = None) -> str:
    """A comparison of runs: one line for each test, over all expressions first; figures in percent.

    Args:
        found: the comparison.
        intervals: any value adds columns with the intervals of the two scores.
    """
    names, stream = run_names(found), io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    bounds = ("first low (%)", "first high (%)", "second low (%)", "second high (%)") if intervals else ()
    writer.writerow(["metric", "slice", "part", "first", "second", "expressions", *_TESTED[:2], *bounds, *_TESTED[2:]])
    for test in (*found.overall, *found.slices):
        part = "" if test.part is None else str(test.part)
        about = [test.metric, test.slice or "", part, names[test.first], names[test.second]]
        own = [bound for both in test.bounds for bound in both] if intervals else []
        change = (None, None, None, None) if test.difference is None else test.difference
        p = ["" if each is None else f"{each:.6f}" for each in (change[3], test.corrected)]
        figures = ["" if each is None else _percent(each) for each in (*test.values, *own, *change[:3])]
        writer.writerow([*map(harmless, about), str(test.expressions), *figures, *p, "yes" if test.differs else "no"])
    return stream.getvalue().rstrip("\n")


render = table_renderer(table_text, comparison_text, "csv")


def _line(row: TableRow, table: ReportTable, seeds: Sequence[bool], intervals: bool) -> list[str]:
    line = row.line
    about = [line.title, line.supervision.group, line.supervision.extra, ", ".join(line.reads), row_origin(row)]
    cells = [harmless(text) for text in about]
    for place, several in enumerate(seeds):
        value = row.cells[place].value
        cells.append("" if value is None else _percent(value.value))
        if several:
            cells.append("" if value is None or value.sd is None else _percent(value.sd))
        if intervals:
            bounds = (None, None) if value is None else (value.low, value.high)
            cells += ["" if bound is None else _percent(bound) for bound in bounds]
    cells += [cell.text if cell.text[0].isdigit() else "" for cell in row.cells[len(table.columns) :]]
    return cells


def _left_out(runs: Sequence[Run], key: str) -> str:
    return str(runs[0].summary.get(key, 0)) if runs else ""


def row_origin(row: TableRow) -> str:
    """``measured``, ``reported``, or ``derived`` if all its published figures are."""
    if not row.line.reported:
        return "measured"
    figures = [value.figure for value in row.line.values.values() if value.figure is not None]
    return "derived" if all(figure.confidence == "derived" for figure in figures) else "reported"


def _cautions(row: TableRow) -> str:
    """The warnings about a line's runs; see `risbench.Run.cautions`."""
    runs = [run for group in row.line.runs.values() for run in group]
    return "; ".join(dict.fromkeys(caution for run in runs for caution in run.cautions()))


def _sd(row: TableRow, place: int) -> bool:
    value = row.cells[place].value
    return value is not None and value.sd is not None


def _percent(value: float) -> str:
    return f"{100 * value:.4f}"
