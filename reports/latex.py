"""A LaTeX table with booktabs; the best of each column is bold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from risbench import Run

from .table import DASH, table_of
from .write import given_or_written

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    DASH: "--",
}


def render(
    runs: Sequence[Run], *, out: Path | None = None, metrics: str | None = None, data_root: Path | None = None
) -> str | None:
    """The table of some runs of one split; needs ``\\usepackage{booktabs}``."""
    table = table_of(runs, metrics)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{l" + "r" * (len(table.head) - 1) + "}",
        r"\toprule",
        " & ".join(escaped(title) for title in table.head) + r" \\",
        r"\midrule",
    ]
    for number, row in enumerate(table.rows):
        cells = [escaped(cell) for cell in row]
        for column, winners in enumerate(table.best):
            if number in winners:
                cells[column] = rf"\textbf{{{cells[column]}}}"
        if cells[0].startswith(("[", "*")):
            cells[0] = "{}" + cells[0]  # or the line break before would take it for an option of its own
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [f"% {' '.join(note.split())}" for note in table.notes]
    return given_or_written("\n".join(lines), out)


def escaped(text: str) -> str:
    """Text that TeX prints and never obeys."""
    return "".join(_ESCAPES.get(character, character) for character in " ".join(text.split()))
