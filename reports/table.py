"""Runs as rows and metrics as columns, before any markup: what every table renderer prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from risbench import Run, UsageError
from risbench.metrics.names import parse_all
from risbench.scorer import summary_of

DASH = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text, ready for escaping.

    Attributes:
        head: the column titles; the first is the method's.
        rows: one for each run, as long as the head.
        best: for each column the rows that hold its largest value; empty for the first column.
        notes: the footnotes.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[frozenset[int], ...]
    notes: tuple[str, ...]


def table_of(runs: Sequence[Run], metrics: str | None = None) -> Table:
    """One row a run, one column a metric, in percent.

    Raises:
        UsageError: the runs are of different splits, inputs or rules, with the difference; or there are none.
    """
    if not runs:
        raise UsageError("a table needs at least one run")
    _refuse_mixture(runs)
    chosen = parse_all(metrics)
    cells: list[tuple[str, ...]] = []
    values: list[list[float | None]] = []
    for run in runs:
        found = run.summary["metrics"]
        if any(metric.name not in found for metric in chosen):
            found = summary_of(run.rows(), chosen)
        line = [found[metric.name]["value"] for metric in chosen]
        values.append(line)
        cells.append((_title(run), *(DASH if value is None else f"{100 * value:.1f}" for value in line)))
    # Best is what prints as best: two rows that print the same are level.
    best = [frozenset[int]()]
    for column in range(1, len(chosen) + 1):
        shown = {row: float(cell[column]) for row, cell in enumerate(cells) if cell[column] != DASH}
        top = max(shown.values(), default=None)
        winners = frozenset(row for row, value in shown.items() if value == top)
        best.append(winners if len(winners) < len(cells) else frozenset())
    head = ("Method", *(metric.name for metric in chosen))
    return Table(head, tuple(cells), tuple(best), tuple(_notes(runs)))


def _title(run: Run) -> str:
    title = run.summary["method"]
    if run.summary["texts"] != "given":
        title += f" (texts {run.summary['texts']})"
    return title + ("*" if run.header["method"]["card"].get("reads") else "")


def _refuse_mixture(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        for what, key in (
            ("splits or copies of one", "split"),
            ("rules", "rules"),
            ("limits", "limit"),
            ("shards", "shard"),
        ):
            a, b = first.header[key], run.header[key]
            # Thresholds may differ within a table (under `clean` each is the method's own); the notes tell them.
            if key == "rules":
                a, b = a["name"], b["name"]
            if a != b:
                raise UsageError(f"{first.path} and {run.path} are of different {what}: one table cannot hold both")


def _notes(runs: Sequence[Run]) -> list[str]:
    run = runs[0]
    images = len({row.image_id for row in run.rows()})
    notes = [f"{run.summary['split']}: {run.summary['count']} expressions about {images} images, in percent."]
    notes.append(f"Rules {run.summary['rules']['name']}: {run.summary['rules']['text']}.")
    if run.summary["split"].startswith("shapes_"):
        notes.append("Drawn scenes, made by risbench; not comparable with photographs.")
    if run.summary["partial"]:
        notes.append("PARTIAL: not the whole split; not comparable with published figures.")
    readers = [run for run in runs if run.header["method"]["card"].get("reads")]
    if readers:
        what = sorted({item for run in readers for item in run.header["method"]["card"]["reads"]})
        notes.append(f"* looks at more than image and text: {', '.join(what)}.")
    for run in runs:
        threshold = run.summary["rules"]["threshold"]
        if threshold is not None:
            notes.append(f"{_title(run)}: heats cut at {threshold:g}.")
    for run in runs:
        if run.summary["missing"]:
            notes.append(
                f"{_title(run)}: {run.summary['missing']} expressions without a prediction count as empty masks."
            )
    return notes
