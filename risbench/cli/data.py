"""``risbench data``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from ..datasets.check import Report, check_split
from ..datasets.leaks import find_leaks
from ..datasets.where import where
from . import options, show

_SHOWN = 20


@click.group("data")
def command() -> None:
    """Look after data sets."""


@command.command("check")
@click.argument("splits", nargs=-1, required=True)
@click.option("--images/--no-images", default=True, show_default=True, help="Read every image, too.")
@options.data_root
@options.as_json
def check(splits: tuple[str, ...], images: bool, data_root: Path | None, as_json: bool) -> None:
    """Compare SPLITS with the expected counts; decode images and masks. Exit code 1 if anything is wrong."""
    reports = []
    for name in splits:
        with show.counting(f"checking {name}") as told:
            reports.append(check_split(name, data_root, images, told))
    if as_json:
        show.print_json([_record(report) for report in reports])
    else:
        for report in reports:
            _print_report(report)
    if not all(report.ok for report in reports):
        sys.exit(1)


def _record(report: Report) -> dict[str, Any]:
    return {
        "split": report.name,
        "ok": report.ok,
        "partial": report.partial,
        "counts": report.counts._asdict(),
        "expected": report.expected._asdict(),
        "images_present": report.images_present,
        "images_absent": report.images_absent,
        "masks": report.masks,
        "without_mask": report.without_mask,
        "problems": [problem._asdict() for problem in report.problems],
    }


def _print_report(report: Report) -> None:
    state = ("ok" if report.ok else f"{len(report.problems)} PROBLEMS") + (", partial" if report.partial else "")
    show.out.print(f"{report.name}: {state}", highlight=False)
    parts = [
        f"{got} {key}" + ("" if want is None else " (as expected)" if want == got else f" (expected {want})")
        for key, got, want in zip(report.counts._fields, report.counts, report.expected, strict=True)
    ]
    parts.append(f"{report.images_present} image files, {report.masks} masks drawn")
    show.out.print("  " + ", ".join(parts), highlight=False, soft_wrap=True)
    for problem in report.problems[:_SHOWN]:
        line = f"  {problem.kind} {problem.name}: {problem.text}"
        show.out.print(line, highlight=False, markup=False, soft_wrap=True)
    if len(report.problems) > _SHOWN:
        show.out.print(f"  and {len(report.problems) - _SHOWN} more (--json lists all)", highlight=False)


@command.command("where")
@click.argument("split")
@options.data_root
@options.as_json
def where_command(split: str, data_root: Path | None, as_json: bool) -> None:
    """Say where the files of SPLIT are looked for and where they come from."""
    wanted = where(split, data_root)
    if as_json:
        show.print_json([{**item._asdict(), "path": str(item.path)} for item in wanted])
        return
    for item in wanted:
        mark = "[green]found  [/]" if item.found else "[red]missing[/]"
        show.out.print(f"{mark} {item.what:11} {escape(str(item.path))}", highlight=False, soft_wrap=True)
        if not item.found:
            show.out.print(f"        from {item.origin}", highlight=False, markup=False, soft_wrap=True)


@command.command("leaks")
@click.argument("splits", nargs=-1)
@options.data_root
@options.as_json
def leaks(splits: tuple[str, ...], data_root: Path | None, as_json: bool) -> None:
    """Find images that training and evaluation splits share (of SPLITS, or of all that are there)."""
    found = find_leaks(data_root, splits or None)
    if as_json:
        show.print_json([leak._asdict() for leak in found])
        return
    if not found:
        show.say("no shared images among the splits that are there")
        return
    table = Table()
    for column in ("seen in", "tested in", "shared images", "shared objects"):
        table.add_column(column, overflow="fold")
    for leak in found:
        objects = "?" if leak.objects is None else f"{leak.objects} of {leak.of_objects}"
        table.add_row(leak.seen, leak.tested, f"{leak.images} of {leak.of_images}", objects)
    show.out.print(table)
