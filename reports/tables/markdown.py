"""A Markdown table; the best of each column is bold, the second underlined."""

from __future__ import annotations

from collections.abc import Sequence

from risbench import Run
from risbench.statistics.compare import Comparison
from risbench.statistics.compared import notes_below

from .contrasts import contrast_tables
from .escapes import escaped
from .notes import READS
from .table import Cell, ReportTable, table_of
from .table_options import TableOptions, table_renderer


def table_text(runs: Sequence[Run], options: TableOptions) -> str:
    """The table of some runs; see `reports.tables.table`."""
    return "\n".join(lines_of(table_of(runs, options)))


def comparison_text(found: Comparison, *, intervals: str | None = None) -> str:
    """A comparison of runs: a section for each table, and the notes.

    Args:
        found: the comparison.
        intervals: also print the intervals of the scores; see `risbench.statistics.interval_text`.
    """
    lines: list[str] = []
    for table in contrast_tables(found, intervals):
        kinds = "|".join([":--"] * table.texts + ["--:"] * (len(table.heads) - table.texts))
        lines += [f"### {escaped(table.title)}", "", _row(table.heads), f"|{kinds}|", *map(_row, table.rows), ""]
    return "\n".join([*lines, *(f"- {escaped(note[:1].upper() + note[1:])}" for note in notes_below(found, intervals))])


render = table_renderer(table_text, comparison_text, "markdown")


def lines_of(table: ReportTable) -> list[str]:
    """The table and its notes."""
    heads = ["Method", *_heads(table)]
    lines = ["| " + " | ".join(heads) + " |", "|:--" + "|--:" * (len(heads) - 1) + "|"]
    for title, rows in table.groups:
        if title:
            lines.append(f"| *{escaped(title)}* |" + " |" * (len(heads) - 1))
        for row in rows:
            cells = [_cell(cell) for cell in row.cells]
            lines.append("| " + " | ".join([escaped(row.title) + _marks(row.marks), *cells]) + " |")
    lines.append("")
    lines += [f"{_marks((note.mark,)) + ' ' if note.mark else ''}{escaped(note.text)}  " for note in table.notes]
    lines[-1] = lines[-1].rstrip()
    return lines


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(escaped, cells)) + " |"


def _heads(table: ReportTable) -> list[str]:
    if len({column.split for column in table.columns}) == 1:
        return [escaped(head) for head in table.heads]
    over = [title for title, width in table.spans for _ in range(width)]
    return [
        escaped(head if title == "cost" else f"{title} {head}") for title, head in zip(over, table.heads, strict=True)
    ]


def _cell(cell: Cell) -> str:
    text = {0: "{}", 1: "**{}**", 2: "<ins>{}</ins>"}[cell.place].format(escaped(cell.text))
    return text + _marks(cell.marks) + (f" {escaped(cell.interval)}" if cell.interval else "")


def _marks(marks: Sequence[str]) -> str:
    others = [mark for mark in marks if mark != READS]
    return (r"\*" if READS in marks else "") + (f"<sup>{','.join(others)}</sup>" if others else "")
