"""``risbench compare``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from .. import plugins
from ..errors import UsageError
from ..plain import plain
from ..results.jsonlines import replace
from ..statistics.compare import Comparison, Contrast, compare
from ..statistics.compared import HEADS, notes_below, pair_of, printed, run_names
from . import options, show
from .folders import RunPath, runs_in

_LONGEST = 300  # characters of an expression; the whole is in --json


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=RunPath())
@options.metrics
@click.option(
    "--slices/--no-slices", default=True, show_default=True, help="Also by kind of expression; needs the data."
)
@click.option("--as", "kind", help="markdown, latex, csv or json, for a page or a program [default: for the terminal].")
@options.intervals
@options.caption
@options.label
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here [default: stdout].")
@options.data_root
@options.as_json
def command(
    runs: tuple[Path, ...],
    metrics: str | None,
    slices: bool,
    kind: str | None,
    out: Path | None,
    data_root: Path | None,
    as_json: bool,
    **more: str | None,
) -> None:
    """Compare RUNS of one split expression by expression. A folder that contains runs means all of them.

    Each difference has a 95 % interval over images and a p-value. The p-values are corrected for the number of
    comparisons (Holm). Slices, which are kinds of expressions, are compared in the first of --metrics.
    """
    form = _Form(kind, out, as_json, more)
    named = runs_in(runs)
    if len(named) == 1:
        raise UsageError(f"{named[0].path} is the only run given: give two different runs or more to compare")
    found = compare(named, metrics=metrics, data_root=data_root, slices=slices)
    if as_json:
        show.print_json(found.record())
    elif form.render is not None:
        form.write(found)
    else:
        _print(found, more["intervals"])


class _Form:
    """The form in which a comparison is written, checked before the work.

    Raises:
        UsageError: there is no such form, or it lacks an option that was given.
    """

    def __init__(self, kind: str | None, out: Path | None, as_json: bool, given: dict[str, str | None]) -> None:
        chosen = {key: value for key, value in given.items() if value is not None}
        self.kind, self.out, self.options = kind, out, chosen
        self.render: Any = None
        if as_json and (kind is not None or out is not None):
            raise UsageError("--json prints to stdout: give --as json for --out, and --as or --json, not both")
        if kind is None:
            if out is not None:
                raise UsageError("--out needs --as markdown, latex, csv or json")
            for key in sorted({"caption", "label"} & chosen.keys()):
                raise UsageError(f"--{key} needs --as latex")
            return
        self.render = getattr(plugins.load(plugins.REPORTS, kind), "comparison", None)
        if self.render is None:
            raise UsageError(f"--as {kind} shows runs, not comparisons: give markdown, latex, csv or json")
        for key in chosen:
            if key not in inspect.signature(self.render).parameters:
                raise UsageError(f"--{key} is not an option of --as {kind}")

    def write(self, found: Comparison) -> None:
        text = self.render(found, **self.options)
        if self.out is None:
            show.print_data(text, self.kind or "text")
        else:
            replace(self.out, text + "\n")
            show.say(f"written: {self.out}")


def _print(found: Comparison, form: str | None) -> None:
    names = run_names(found)
    _print_tests(found.overall, names, "Over all expressions, in points of percent", form)
    for pair in dict.fromkeys((test.first, test.second) for test in found.slices):
        tests = [test for test in found.slices if (test.first, test.second) == pair]
        _print_slices(tests, f"By kind of expression, {tests[0].metric}: {pair_of(tests[0], names)}", form)
    _print_apart(found, names)
    for note in notes_below(found, form):
        show.print_line(note)


def _print_tests(tests: Sequence[Contrast], names: Sequence[str], title: str, form: str | None) -> None:
    two = len(names) == 2  # whose names are in the title, so that the figures have room
    table = Table(title=f"{title}: {escape(' minus '.join(names))}" if two else title, title_justify="left")
    for column in ("metric",) if two else ("metric", "first", "second"):
        table.add_column(column)
    _add_figures(table)
    for test in tests:
        about = [] if two else [escape(names[test.first]), escape(names[test.second])]
        table.add_row(test.metric, *about, *printed(test, form))
    show.print_table(table, keys=1 if two else 3)


def _print_slices(tests: Sequence[Contrast], title: str, form: str | None) -> None:
    table = Table(title=escape(title), title_justify="left")
    for column in ("slice", "part"):
        table.add_column(column)
    table.add_column("expressions", justify="right")
    _add_figures(table)
    before = None
    for test in tests:
        if before not in (None, test.slice):
            table.add_section()
        name, part = "" if before == test.slice else test.slice, escape(plain(str(test.part)))
        table.add_row(name, part, str(test.expressions), *printed(test, form))
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


def _add_figures(table: Table) -> None:
    for column in HEADS:
        table.add_column(column, justify="right")
