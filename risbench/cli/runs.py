"""``risbench runs``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from ..plain import counted, plain
from ..results.past import PastRun, past_runs
from . import show
from .folders import RUNS, name_of_last

_FIGURES = ("mIoU", "oIoU", "PointM")
_MOST = 20  # lines of a screen


@click.command("runs")
@click.option(
    "--in",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUNS,
    show_default=True,
    help="The folder to search; the runs in its folders are found too.",
)
@click.option("--split", help="Only runs of this split.")
@click.option("--method", help="Only runs of this method.")
@click.option("--all", "everything", is_flag=True, help=f"Also those before the newest {_MOST}.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout: all runs, with all their figures.")
def command(folder: Path, split: str | None, method: str | None, everything: bool, as_json: bool) -> None:
    """List past runs, the newest first, with their key figures and age.

    The names in the first column, `last`, `last:2` and so on, name these runs in `report`, `compare`, `score`, `sweep`
    and `submit`: the complete runs below ./runs, the newest first. Unfinished runs are marked and have no such name.
    """
    if not folder.is_dir() and folder != RUNS:
        raise click.UsageError(f"--in {folder}: no such folder")
    runs = past_runs(folder)
    names = _names(runs, folder)
    chosen = [
        (name, run)
        for name, run in zip(names, runs, strict=True)
        if split in (None, run.split) and method in (None, run.method)
    ]
    if as_json:
        show.print_json([_record(name, run) for name, run in chosen])
        return
    if not chosen:
        what = f"no runs below {folder}: `risbench run` and `risbench score` write them; --in FOLDER looks elsewhere"
        if runs:
            what = f"{counted(len(runs), 'run')} below {folder}, none of that split and method"
        show.say(what)
        return
    shown = chosen if everything else chosen[:_MOST]
    _print(shown)
    for _, run in shown:
        if run.about:
            # The text about a broken run begins with its file.
            show.print_line(f"{run.state}: {'' if run.state == 'broken' else f'{run.path}: '}{run.about}")
    if len(shown) < len(chosen):
        show.say(f"{len(chosen) - len(shown)} older runs are not shown (--all shows them)")


def _names(runs: Sequence[PastRun], folder: Path) -> list[str | None]:
    """The name of each complete run, as commands take it; None for other runs, and in other folders than ./runs."""
    names: list[str | None] = []
    number = 0
    for run in runs:
        number += run.state == "complete"
        names.append(name_of_last(number) if run.state == "complete" and folder == RUNS else None)
    return names


def _print(chosen: Sequence[tuple[str | None, PastRun]]) -> None:
    now = datetime.now(UTC)
    table = Table(title="Figures in percent; `risbench report` has their intervals", title_justify="left")
    table.add_column("name" if any(name for name, _ in chosen) else "state", no_wrap=True)
    table.add_column("age", justify="right")
    for column in ("split", "method", "rules"):
        table.add_column(column, overflow="fold")
    for name in _FIGURES:
        table.add_column(name, justify="right")
    table.add_column("expressions", justify="right")
    table.add_column("folder", overflow="fold")
    for name, run in chosen:
        method = plain(run.method, 60)
        method += "" if run.texts is None else f" (texts {plain(run.texts, 20)})"
        method += "" if run.refine is None else f" + {plain(run.refine, 30)}"
        figures = [_percent(run, metric) for metric in _FIGURES]
        count = f"{run.count}{' (PARTIAL)' if run.partial else ''}"
        cells = [plain(run.split, 60), method, plain(run.rules, 30), *figures, count, str(run.path)]
        table.add_row(name or run.state, age_of(run.when, now), *map(escape, cells))
    show.print_table(table)


def _percent(run: PastRun, metric: str) -> str:
    value = run.metrics.get(metric, {}).get("value")
    return "–" if value is None else f"{100 * value:.1f}"


def age_of(when: datetime, now: datetime) -> str:
    """How long ago, in the largest whole unit: ``5 min``, ``3 h``, ``12 days``."""
    seconds = max(0, int((now - when).total_seconds()))
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            count = seconds // length
            return "1 day" if (count, unit) == (1, "days") else f"{count} {unit}"
    return f"{seconds} s"


def _record(name: str | None, run: PastRun) -> dict[str, Any]:
    return {
        "name": name,
        "folder": str(run.path),
        "state": run.state,
        "about": run.about or None,
        "when": run.when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "split": run.split or None,
        "method": run.method or None,
        "rules": run.rules or None,
        "texts": run.texts or "given",
        "refine": run.refine,
        "partial": run.partial,
        "expressions": run.count,
        "metrics": {key: dict(value) for key, value in run.metrics.items()},
    }
