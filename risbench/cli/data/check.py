"""``risbench data check``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ...datasets.check import Report, check_split
from .. import options, show

_SHOWN = 20


@click.command("check")
@click.argument("splits", nargs=-1, required=True)
@click.option("--images/--no-images", default=True, show_default=True, help="Read every image, too.")
@options.data_root
@options.as_json
def command(splits: tuple[str, ...], images: bool, data_root: Path | None, as_json: bool) -> None:
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
