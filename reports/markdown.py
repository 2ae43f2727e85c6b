"""A Markdown table; the best of each column is bold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from risbench import Run

from .table import table_of
from .write import given_or_written

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#&~$])")


def render(
    runs: Sequence[Run], *, out: Path | None = None, metrics: str | None = None, data_root: Path | None = None
) -> str | None:
    """The table of some runs of one split."""
    table = table_of(runs, metrics)
    lines = ["| " + " | ".join(table.head) + " |", "|:--" + "|--:" * (len(table.head) - 1) + "|"]
    for number, row in enumerate(table.rows):
        cells = [_escaped(cell) for cell in row]
        for column, winners in enumerate(table.best):
            if number in winners:
                cells[column] = f"**{cells[column]}**"
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", *(f"{_escaped(note)}  " for note in table.notes)]
    return given_or_written("\n".join(lines).rstrip(), out)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
