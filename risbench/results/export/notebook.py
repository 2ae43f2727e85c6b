"""A run as Python and notebooks show it: one line, or a small table with the notes that belong to its figures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ...errors import RisbenchError
from ...metrics.rules.protocols import text_of
from ...plain import counted, in_html, plain
from ...plugins import REPORTS, load

if TYPE_CHECKING:
    from ..run import Run

_HEAD = ("metric", "%", "95 % interval", "expressions")


def headline(run: Run) -> str:
    """A run in one line: method, split, mIoU and oIoU in percent, and how much was run by which rules."""
    summary = run.summary
    figures = [
        f"{name} {100 * number['value']:.1f}"
        for name in ("mIoU", "oIoU")
        if (number := summary["metrics"].get(name)) is not None and number["value"] is not None
    ]
    variant = "" if summary["texts"] == "given" else f" (texts {plain(summary['texts'], 20)})"
    about = f"{plain(summary['method'], 60)}{variant} on {plain(summary['split'], 60)}"
    how = [counted(summary["count"], "expression"), f"rules {plain(summary['rules']['name'], 20)}"]
    if summary["rules"]["threshold"] is not None:
        how.append(f"threshold {summary['rules']['threshold']:g}")
    if summary["missing"]:
        how.append(f"{summary['missing']} without a prediction")
    if run.about.truth is not None:
        how.append(f"truth of {plain(run.about.truth.file, 60)}")
    return f"{about}: {', '.join([*figures, *how])}{', PARTIAL' if summary['partial'] else ''}"


def html_of(run: Run) -> str:
    """A run as a table of its metrics in HTML, with the notes of `risbench report`: rules, marks and warnings."""
    rows, notes = [], []
    try:
        table = json.loads(load(REPORTS, "json")([run]))
        names = [column["metric"] for column in table["columns"]]
        for name, cell in zip(names, table["lines"][0]["cells"], strict=True):
            rows.append(_row(name, cell, "".join(f" ({mark})" for mark in cell["marks"]) if cell else ""))
        # The marks of the line itself would point at the only line there is.
        of_cells = {mark for cell in table["lines"][0]["cells"] if cell for mark in cell["marks"]}
        notes = [
            f"({note['mark']}) {note['text']}" if note["mark"] in of_cells else note["text"] for note in table["notes"]
        ]
    except RisbenchError as error:  # a notebook shows what there is; the file that is missing or broken is named
        rows = [_row(name, number, "") for name, number in run.summary["metrics"].items()]
        notes = [f"Rules {run.summary['rules']['name']}: {text_of(run.summary['rules'])}.", f"UNCHECKED: {error}"]
    return in_html(headline(run), _HEAD, rows, [*notes, f"Folder {run.path}"])


def _row(name: str, number: dict[str, Any] | None, marks: str) -> tuple[str, str, str, str]:
    if number is None or number["value"] is None:
        return name, "–", "", "0"
    low, high = number["low"], number["high"]
    bounds = "–" if low is None or high is None else f"{100 * low:.2f} to {100 * high:.2f}"
    return name, f"{100 * number['value']:.2f}{marks}", bounds, str(number["count"])
