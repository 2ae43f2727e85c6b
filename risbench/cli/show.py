"""What the terminal shows: progress on stderr, a run's numbers on stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table

from ..metrics.metric_names import parse_all, refuse_generalised
from ..metrics.rules.protocols import text_of
from ..plain import counted, in_json, plain, visible, without_controls
from ..results.origin import unknown_note
from ..results.rows import answer_notes, truth_notes
from ..results.run import Run
from ..running import terminal_table
from ..running.bar import Bar, SpeedColumn
from ..running.progress import Progress
from ..statistics.comparable import truth_note
from . import streams

# Under NO_COLOR rich leaves out colours alone; bold letters are escape codes, too.
_COLOURS = None if os.environ.get("NO_COLOR") else "auto"


class _Console(Console):
    """Prints tables, notes and progress bars; everything that rich prints goes through it."""

    @property
    def encoding(self) -> str:
        """The stream's own encoding, so that table lines are ASCII where the stream has no others."""
        return (getattr(self.file, "encoding", None) or "utf-8").lower()

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed, without control characters from data; rich marks its own as such."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=without_controls(segment.text))

    def on_broken_pipe(self) -> None:
        """Leave it to `main`, which exits with the code of a closed pipe; rich would exit with 1."""
        raise BrokenPipeError


out = _Console(color_system=_COLOURS)
err = _Console(color_system=_COLOURS, stderr=True)


@contextmanager
def scoring(title: str) -> Iterator[Callable[[Progress], None]]:
    """A progress bar with images done, images per second, time left, and the mIoU and oIoU so far."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[scores]}"),
    )
    with Bar(*columns, console=err, transient=False) as bar:
        task = bar.add_task(title, total=None, speed="", scores="")

        def on_progress(state: Progress) -> None:
            speed = bar.tasks[0].speed
            bar.update(
                task,
                completed=state.done,
                total=state.total,
                speed=f"{speed:.1f} images/s" if speed else "",
                scores=f"mIoU {100 * state.miou:.1f}  oIoU {100 * state.oiou:.1f}",
            )

        yield on_progress


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the speed and the time left; yields a function to call with ``(done, total)``."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        SpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=err) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def say(text: str) -> None:
    """Print a message on one line of stderr."""
    streams.write_error(visible(text))


def print_line(text: str, *, markup: bool = False) -> None:
    """A line of text on stdout, never broken here.

    Args:
        text: the line, as it is.
        markup: it holds rich's styles in brackets; what strangers wrote was escaped.
    """
    out.print(text, highlight=False, markup=markup, soft_wrap=True)


def print_table(table: Table, keys: int = 1) -> None:
    """Print a table on stdout so that no figure is cut off; the first ``keys`` columns name its rows."""
    terminal_table.print_table(out, table, keys)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout, without wrapping."""
    print_data(json.dumps(value, indent=2, ensure_ascii=False), "json")


def print_data(text: str, kind: str = "text") -> None:
    """Print a text on stdout unchanged, except that terminal control characters are removed.

    Args:
        text: what a file would hold.
        kind: decides what becomes of characters that the stream's encoding lacks. In ``json`` and ``html`` they are
            escaped, which changes no value; otherwise the nearest ASCII is printed.
    """
    if kind == "json":
        streams.write(in_json(text), sys.stdout, streams.ESCAPED)
    else:
        errors = "xmlcharrefreplace" if kind == "html" else streams.READABLE
        streams.write(without_controls(text), sys.stdout, errors)


def print_run(run: Run, as_json: bool, metrics: str | None) -> None:
    """Print a run's figures, as a table with notes or as JSON."""
    chosen = [metric.name for metric in parse_all(metrics)]
    refuse_generalised(
        metrics, run.summary.get("without_mask", 0), run.summary["split"], f"; the run is whole, in {run.path}"
    )
    values = run.summary["metrics"]
    if metrics is not None and any(name not in values for name in chosen):
        from ..scorer import summary_of

        values = summary_of(run.columns(), parse_all(metrics))
    if as_json:
        shown = {name: values[name] for name in chosen}
        warnings = {"warnings": cautions} if (cautions := run.cautions()) else {}
        print_json({**run.summary, "metrics": shown, **warnings, "folder": str(run.path)})
        return
    title = f"{run.summary['method']} on {run.summary['split']}"
    if run.summary["partial"]:
        title += " (PARTIAL)"
    # A method may have any name, and rich reads text in brackets as markup.
    table = Table(title=escape(title), title_justify="left")
    table.add_column("metric")
    for column in ("%", "95 % interval", "expressions"):
        table.add_column(column, justify="right")
    for name in chosen:
        value = values[name]
        if value["value"] is None:
            table.add_row(name, "–", "", "0")
        else:
            bounds = "–" if value["low"] is None else f"{100 * value['low']:.2f} to {100 * value['high']:.2f}"
            table.add_row(name, f"{100 * value['value']:.2f}", bounds, str(value["count"]))
    print_table(table)
    notes = [f"rules {run.summary['rules']['name']}: {text_of(run.summary['rules'])}"]
    if run.summary["rules"]["threshold"] is not None:
        notes.append(f"threshold {run.summary['rules']['threshold']:g}")
    if (truth := truth_note(run.about.truth, run.about.is_part)) is not None:
        notes.append(truth)
    if run.summary["texts"] != "given":
        notes.append(f"control: texts={run.summary['texts']}")
    if refine := run.about.refine:
        notes.append(f"masks refined by {refine}")
    notes += [*truth_notes(run.summary, run.summary["rules"]["name"]), *answer_notes(run.summary)]
    if run.summary["missing"]:
        notes.append(
            counted(
                run.summary["missing"],
                "expression had no prediction and counts as an empty mask",
                "expressions had no prediction and count as empty masks",
            )
        )
    if run.summary["partial"]:
        notes.append(f"partial: {partial_note(run)}; not comparable with published figures")
    if (unknown := unknown_note(run.about.origin)) is not None:
        notes.append(unknown)
    notes += [f"warning: {plain(caution)}" for caution in run.cautions()]
    notes.append(f"folder {run.path}")
    for note in notes:
        print_line(note)


def partial_note(run: Run) -> str:
    """Why a run is partial, in words."""
    header = run.about
    if header.shard:
        number, count = header.shard
        return f"shard {number} of {count}"
    if header.limit is not None:
        return f"the first {counted(header.limit, 'image')}"
    if header.chosen is not None:
        return f"the expressions {header.split.name}{header.chosen}"
    truth = header.truth
    if truth and truth.only and truth.replaces < truth.of:
        return f"{truth.replaces} of {truth.of} expressions, those with a mask in {truth.file}"
    differ = []
    for key in ("images", "refs", "expressions"):
        count, expected = getattr(header.split.counts, key), getattr(header.split.expected, key)
        if expected not in (None, count):
            differ.append(f"{count} of {expected} {key}")
    if not differ:
        return "its annotations were converted from another format, and are not the authors' own"
    return "this copy has " + ", ".join(differ)
