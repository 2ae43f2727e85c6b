"""A table as JSON, with everything that other forms show by bold type and marks; figures are fractions, as in a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from risbench import Run
from risbench.results.jsonrecord import to_json
from risbench.statistics.compare import Comparison

from .as_csv import row_origin
from .efficiency import cost_of
from .lines import seed_of
from .table import Cell, ReportTable, TableRow, table_of
from .table_options import TableOptions, table_renderer

SCHEMA = 1


def table_text(runs: Sequence[Run], options: TableOptions) -> str:
    """The table of some runs; see `reports.tables.table`."""
    table = table_of(runs, replace(options, efficiency=False, intervals=None))  # costs and bounds are no columns
    record = {
        "schema": SCHEMA,
        "unit": "fraction",
        "columns": [{"split": column.split, "metric": column.metric.name} for column in table.columns],
        "lines": [_line(row, table, options.efficiency) for row in table.rows],
        "notes": [{"mark": note.mark, "text": note.text} for note in table.notes],
    }
    return json.dumps(record, indent=2, ensure_ascii=False)


def comparison_text(found: Comparison, *, intervals: str | None = None) -> str:
    """A comparison of runs, as ``risbench compare --json`` prints it; it has all intervals in any case."""
    return json.dumps(found.record(), indent=2, ensure_ascii=False)


render = table_renderer(table_text, comparison_text, "json")


def _line(row: TableRow, table: ReportTable, efficiency: bool) -> dict[str, Any]:
    line = row.line
    found: dict[str, Any] = {
        "method": line.title,
        "supervision": line.supervision.group or None,
        "besides": line.supervision.extra or None,
        "reads": list(line.reads),
        "origin": row_origin(row),
        "marks": list(row.marks),
        "runs": [
            {
                "folder": run.path.name,
                "split": split,
                "seed": seed_of(run),
                "rules": run.about.rules.name,
                **({"truth": to_json(run.about.truth)} if run.about.truth else {}),
                **({"warnings": cautions} if (cautions := run.cautions()) else {}),
            }
            for split, group in line.runs.items()
            for run in group
        ],
        "cells": [_cell(cell) for cell in row.cells[: len(table.columns)]],
    }
    if efficiency:
        found["cost"] = cost_of(line)._asdict()
    return found


def _cell(cell: Cell) -> dict[str, Any] | None:
    value = cell.value
    if value is None:
        return None
    found: dict[str, Any] = {
        "value": value.value,
        "sd": value.sd,
        "low": value.low,
        "high": value.high,
        "count": value.count,
        "place": ("", "best", "second")[cell.place] or None,
        "marks": list(cell.marks),
    }
    if value.figure is not None:
        found["source"] = value.figure.citation
        found["confidence"] = value.figure.confidence
    return found
