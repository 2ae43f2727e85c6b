"""``risbench compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from ..errors import UsageError
from ..metrics.rules.protocols import text_of
from ..plain import plain
from ..results.rows import answer_notes, truth_notes
from ..statistics.comparable import truth_note
from ..statistics.compare import Comparison, Contrast, compare
from . import options, show
from .folders import RunPath, runs_in

_LONGEST = 300  # characters of an expression; the whole is in --json


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=RunPath())
@options.metrics
@click.option(
    "--slices/--no-slices", default=True, show_default=True, help="Also by kind of expression; needs the data."
)
@options.data_root
@options.as_json
def command(runs: tuple[Path, ...], metrics: str | None, slices: bool, data_root: Path | None, as_json: bool) -> None:
    """Compare RUNS of one split expression by expression. A folder that contains runs means all of them.

    Each difference has a 95 % interval over images and a p-value. The p-values are corrected for the number of
    comparisons (Holm). Slices, which are kinds of expressions, are compared in the first of --metrics.
    """
    named = runs_in(runs)
    if len(named) == 1:
        raise UsageError(f"{named[0].path} is the only run given: give two different runs or more to compare")
    found = compare(named, metrics=metrics, data_root=data_root, slices=slices)
    if as_json:
        show.print_json(found.record())
        return
    names = _names(found)
    _print_tests(found.overall, names, "Over all expressions, in points of percent")
    for pair in dict.fromkeys((test.first, test.second) for test in found.slices):
        tests = [test for test in found.slices if (test.first, test.second) == pair]
        title = f"By kind of expression, {tests[0].metric}: {names[pair[0]]} minus {names[pair[1]]}"
        _print_slices(tests, title)
    _print_apart(found, names)
    rules = found.runs[0].summary["rules"]
    notes = [*found.changed, f"rules {rules['name']}: {text_of(rules)}"]
    if (truth := truth_note(found.runs[0].about.truth, found.runs[0].about.is_part)) is not None:
        notes.append(truth)
    notes += truth_notes(found.truth_counts, rules["name"])
    if found.runs[0].summary["partial"]:
        notes.append("partial: not the whole split")
    for name, run in zip(names, found.runs, strict=True):
        notes += [f"warning: {name}: {caution}" for caution in (*answer_notes(run.summary), *run.cautions())]
    notes.append("each interval is of one difference alone; p is corrected by Holm over all pairs and metrics")
    if found.slices:
        notes.append("by kind of expression, p is corrected by Holm over all pairs and kinds together")
    notes.append("* differs at 5 % after correction; variance between seeds is not included")
    for note in notes:
        show.print_line(note)


def _names(found: Comparison) -> list[str]:
    """The methods' names; if two are equal, the run folders' names are added."""
    methods = [
        plain(run.summary["method"])
        + ("" if run.summary["texts"] == "given" else f" (texts {run.summary['texts']})")
        + (f" + {run.about.refine}" if run.about.refine else "")
        for run in found.runs
    ]
    return [
        name if methods.count(name) == 1 else f"{name} [{run.path.name}]"
        for name, run in zip(methods, found.runs, strict=True)
    ]


def _print_tests(tests: Sequence[Contrast], names: Sequence[str], title: str) -> None:
    two = len(names) == 2  # whose names are in the title, so that the figures have room
    table = Table(title=f"{title}: {escape(' minus '.join(names))}" if two else title, title_justify="left")
    for column in ("metric",) if two else ("metric", "first", "second"):
        table.add_column(column)
    _add_numbers(table)
    for test in tests:
        about = [] if two else [escape(names[test.first]), escape(names[test.second])]
        table.add_row(test.metric, *about, *_numbers(test))
    show.print_table(table, keys=1 if two else 3)


def _print_slices(tests: Sequence[Contrast], title: str) -> None:
    table = Table(title=escape(title), title_justify="left")
    for column in ("slice", "part"):
        table.add_column(column)
    table.add_column("expressions", justify="right")
    _add_numbers(table)
    before = None
    for test in tests:
        if before not in (None, test.slice):
            table.add_section()
        name, part = "" if before == test.slice else test.slice, escape(plain(str(test.part)))
        table.add_row(name, part, str(test.expressions), *_numbers(test))
        before = test.slice
    show.print_table(table, keys=2)


def _print_apart(found: Comparison, names: Sequence[str]) -> None:
    if not found.apart:
        show.print_line("The runs score every expression the same.")
        return
    table = Table(
        title=f"The {len(found.apart)} expressions where they differ most: IoU in percent", title_justify="left"
    )
    table.add_column("id", overflow="fold")
    if any(item.text is not None for item in found.apart):
        table.add_column("expression", overflow="fold")
    for name in names:
        table.add_column(escape(name), justify="right")
    for item in found.apart:
        text = [] if item.text is None else [escape(plain(item.text, _LONGEST))]
        table.add_row(item.id, *text, *(f"{100 * iou:.1f}" for iou in item.ious))
    show.print_table(table)


def _add_numbers(table: Table) -> None:
    for column in ("first %", "second %", "difference", "95 % interval", "p (Holm)"):
        table.add_column(column, justify="right")


def _numbers(test: Contrast) -> list[str]:
    values = ["–" if value is None else f"{100 * value:.2f}" for value in test.values]
    if test.difference is None:
        return [*values, "–", "", ""]
    if test.corrected is None:
        return [*values, _points(test.difference.value), "–", "untested"]
    value, low, high, _ = test.difference
    mark = " *" if test.differs else ""
    interval = "–" if low is None or high is None else f"{_points(low)} to {_points(high)}"
    p = "<0.001" if test.corrected < 0.001 else f"{test.corrected:.3f}"
    return [*values, f"{_points(value)}{mark}", interval, p]


def _points(fraction: float) -> str:
    """A difference in percentage points with its sign; zero has no sign."""
    text = f"{100 * fraction:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text
