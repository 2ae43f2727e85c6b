"""What the terminal shows: progress on stderr, a run's numbers on stdout."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..comparable import truth_note
from ..metrics.names import parse_all
from ..progress import Progress
from ..results.run import Run
from .bars import Bar

# Under NO_COLOR rich leaves out colours alone; bold letters are escape codes, too.
_COLOURS = None if os.environ.get("NO_COLOR") else "auto"


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `main`, which ends with the code of a closed pipe; rich would end with 1."""
        raise BrokenPipeError


out = _Console(color_system=_COLOURS)
err = _Console(color_system=_COLOURS, stderr=True)


@contextmanager
def scoring(title: str) -> Iterator[Callable[[Progress], None]]:
    """A bar with images done, images per second, time left, and the running mIoU and oIoU."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[scores]}"),
    )
    with Bar(*columns, console=err, transient=not err.is_terminal, disable=not err.is_terminal) as bar:
        task = bar.add_task(title, total=None, speed="", scores="")

        def told(state: Progress) -> None:
            speed = bar.tasks[0].speed
            bar.update(
                task,
                completed=state.done,
                total=state.total,
                speed=f"{speed:.1f} images/s" if speed else "",
                scores=f"mIoU {100 * state.miou:.1f}  oIoU {100 * state.oiou:.1f}",
            )

        yield told


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """A plain bar for something that counts up."""
    with Bar(console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def say(text: str) -> None:
    """A line of talk, to stderr."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """JSON to stdout, whole and unwrapped."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_run(run: Run, as_json: bool, metrics: str | None) -> None:
    """A run's numbers, as a table or as its summary."""
    chosen = [metric.name for metric in parse_all(metrics)]
    values = run.summary["metrics"]
    if metrics is not None and any(name not in values for name in chosen):
        from ..scorer import summary_of

        values = summary_of(run.rows(), parse_all(metrics))
    if as_json:
        print_json({**run.summary, "metrics": {name: values[name] for name in chosen}, "folder": str(run.path)})
        return
    split = run.header["split"]
    title = f"{run.summary['method']} on {run.summary['split']}"
    if run.summary["partial"]:
        title += " (PARTIAL)"
    # A method may be named anything, and rich takes what stands in brackets for markup.
    table = Table(title=escape(title), title_justify="left")
    table.add_column("metric")
    for column in ("%", "95 % interval", "expressions"):
        table.add_column(column, justify="right")
    for name in chosen:
        value = values[name]
        if value["value"] is None:
            table.add_row(name, "–", "", "0")
        else:
            bounds = f"{100 * value['low']:.2f} to {100 * value['high']:.2f}"
            table.add_row(name, f"{100 * value['value']:.2f}", bounds, str(value["count"]))
    out.print(table)
    notes = [f"rules {run.summary['rules']['name']}: {run.summary['rules']['text']}"]
    if run.summary["rules"]["threshold"] is not None:
        notes.append(f"threshold {run.summary['rules']['threshold']:g}")
    if (truth := truth_note(run.header)) is not None:
        notes.append(truth)
    if run.summary["texts"] != "given":
        notes.append(f"control: texts={run.summary['texts']}")
    if refine := run.header.get("refine"):
        notes.append(f"masks refined by {refine}")
    if run.summary["missing"]:
        notes.append(f"{run.summary['missing']} expressions had no prediction and count as empty masks")
    if run.summary["partial"]:
        notes.append(f"partial: {partial_note(run, split)}; not comparable with published figures")
    notes.append(f"folder {run.path}")
    for note in notes:
        out.print(note, highlight=False, soft_wrap=True, markup=False)


def partial_note(run: Run, split: dict[str, Any]) -> str:
    """In which way a run is partial, in words."""
    if run.header["shard"]:
        number, count = run.header["shard"]
        return f"shard {number} of {count}"
    if run.header["limit"] is not None:
        return f"the first {run.header['limit']} images"
    counts, expected = split["counts"], split["expected"]
    truth = run.header.get("truth")
    if truth and truth["only"] and truth["replaces"] < truth["of"]:
        return f"{truth['replaces']} of {truth['of']} expressions, those with a mask in {truth['file']}"
    differ = [f"{counts[key]} of {expected[key]} {key}" for key in counts if expected[key] not in (None, counts[key])]
    if not differ:
        return "its annotations were converted from another form, and are not the authors' own"
    return "this copy has " + ", ".join(differ)
