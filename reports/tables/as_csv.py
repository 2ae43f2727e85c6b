"""A table as comma-separated values, for spreadsheets and programs: figures in percent, one line for each method."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from risbench import Run
from risbench.results.rows import ANSWER_COUNTS, TRUTH_COUNTS

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
        heads += [name, f"{name} sd"] if several else [name]
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
        writer.writerow([*_line(row, table, seeds), *left_out, *map(harmless, texts)])
    return stream.getvalue().rstrip("\n")


render = table_renderer(table_text, "csv")


def _line(row: TableRow, table: ReportTable, seeds: Sequence[bool]) -> list[str]:
    line = row.line
    about = [line.title, line.supervision.group, line.supervision.extra, ", ".join(line.reads), row_origin(row)]
    cells = [harmless(text) for text in about]
    for place, several in enumerate(seeds):
        value = row.cells[place].value
        cells.append("" if value is None else _percent(value.value))
        if several:
            cells.append("" if value is None or value.sd is None else _percent(value.sd))
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
