"""A breakdown as Markdown, LaTeX, CSV and JSON. Percent and intervals in print, fractions in JSON."""

from __future__ import annotations

import csv as csv_lines
import io
import json as json_text
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from risbench import Run
from risbench.statistics.summary import with_interval

from ..tables.escapes import escaped, harmless
from ..tables.tex import breakable
from ..tables.tex import escaped as for_tex
from . import broken_down
from .result import BrokenDown, PartColumn, Share, Value

SCHEMA = 1
_NUMBERS = ("value", "low", "high")


def markdown(found: BrokenDown) -> str:
    """A table and its notes."""
    heads = [escaped(_head(column)) for column in found.columns]
    lines = [
        f"**{escaped(found.title)}**, {escaped(found.split)}, rules {escaped(found.rules)}",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "|".join(":--" if at == 0 else "--:" for at in range(len(heads))) + "|",
    ]
    lines += ["| " + " | ".join(escaped(_printed(value)) for value in row) + " |" for row in found.rows]
    return "\n".join([*lines, "", *(f"{escaped(note)}  " for note in found.notes)]).rstrip()


def latex(found: BrokenDown) -> str:
    """A ``table`` with booktabs, scaled down where it is wider than the line; the notes stand below it."""
    heads = [for_tex(_head(column)) for column in found.columns]
    lines = [
        r"% needs \usepackage{booktabs} and \usepackage{graphicx}",
        r"\begin{table}[t]",
        r"\centering\footnotesize",
        rf"\textit{{{for_tex(found.title)}, {for_tex(found.split)}, rules {for_tex(found.rules)}}}\par\smallskip",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
    ]
    lines += [" & ".join(_tex(value) for value in row) + r" \\" for row in found.rows]
    lines += [r"\bottomrule", r"\end{tabular}%", "}", r"\par\smallskip"]
    lines.append(r"\begin{minipage}{\linewidth}\scriptsize\raggedright")
    lines += [f"{breakable(note)}\\par" for note in found.notes]
    return "\n".join([*lines, r"\end{minipage}", r"\end{table}"])


def csv(found: BrokenDown) -> str:
    """One line a row, shares in percent with their bounds; the notes stand in the first line, in the last column."""
    stream = io.StringIO()
    writer = csv_lines.writer(stream, lineterminator="\n")
    heads: list[str] = []
    for column in found.columns:
        heads += (
            [f"{column.key} {part}".strip() for part in ("%", "low %", "high %")] if column.is_share else [column.key]
        )
    writer.writerow([*map(harmless, heads), "notes"])
    for number, row in enumerate(found.rows):
        cells: list[Any] = []
        for column, value in zip(found.columns, row, strict=True):
            if column.is_share:
                numbers: Share = value if isinstance(value, Mapping) else dict.fromkeys(_NUMBERS)
                cells += ["" if number is None else f"{100 * number:.4f}" for number in map(numbers.get, _NUMBERS)]
            else:
                cells.append(harmless(value) if isinstance(value, str) else "" if value is None else value)
        writer.writerow([*cells, harmless(" ".join(found.notes)) if number == 0 else ""])
    return stream.getvalue().rstrip("\n")


def json(found: BrokenDown) -> str:
    """Everything, with fractions."""
    record = {
        "schema": SCHEMA,
        "by": found.by,
        "split": found.split,
        "rules": found.rules,
        "unit": "fraction",
        "runs": list(found.runs),
        "columns": [{"key": column.key, "title": column.title, "run": column.run} for column in found.columns],
        "rows": [
            {
                column.key: dict(value) if isinstance(value, Mapping) else value
                for column, value in zip(found.columns, row, strict=True)
            }
            for row in found.rows
        ],
        "notes": list(found.notes),
    }
    return json_text.dumps(record, indent=2, ensure_ascii=False)


def breakdown_text(form: str, runs: Sequence[Run], by: str, metrics: str | None, data_root: Path | None) -> str:
    """The table of one kind of breakdown in one of `FORMS`; see `reports.breakdown.broken_down`."""
    return FORMS[form](broken_down(runs, by, metrics, data_root))


FORMS: Mapping[str, Callable[[BrokenDown], str]] = {"markdown": markdown, "latex": latex, "csv": csv, "json": json}


def _head(column: PartColumn) -> str:
    return f"{column.title} %" if column.is_share else column.title


def _printed(value: Value) -> str:
    if value is None:
        return "–"
    return with_interval(value) if isinstance(value, Mapping) else str(value)


def _tex(value: Value) -> str:
    if isinstance(value, Mapping) and value["value"] is not None and value["low"] is not None:
        return f"{100 * value['value']:.1f} {{\\scriptsize({100 * value['low']:.1f}--{100 * value['high']:.1f})}}"
    return for_tex(_printed(value))
