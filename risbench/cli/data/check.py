"""``risbench data check``."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ...datasets.audit.split_check import Report, check_split
from ...plain import counted
from .. import options, show

_SHOWN = 4  # problems of a kind, so that all fits on a screen


@click.command("check")
@click.argument("splits", nargs=-1, required=True)
@click.option("--images/--no-images", default=True, show_default=True, help="Also check every image file.")
@click.option("--deep", is_flag=True, help="Decode every pixel and draw every polygon: minutes instead of seconds.")
@options.data_root
@options.as_json
def command(splits: tuple[str, ...], images: bool, deep: bool, data_root: Path | None, as_json: bool) -> None:
    """Check SPLITS: counts, images, masks, boxes and duplicates.

    Only the first and last bytes of an image are read: does it exist, is it complete, does it have the annotated size?
    Only the corners of a polygon are checked: they may lie at most one pixel outside the image. --deep decodes and
    draws all. Exit code 0 if every split is complete, or partial without errors; 1 if anything is missing, broken or
    refused.
    """
    reports = []
    for name in splits:
        with show.counting(f"checking {name}") as on_progress:
            reports.append(check_split(name, data_root, images, on_progress, deep=deep))
    if as_json:
        show.print_json([_record(report) for report in reports])
    else:
        for report in reports:
            _print_report(report, images)
    if not all(report.ok for report in reports):
        sys.exit(1)


def _record(report: Report) -> dict[str, Any]:
    return {
        "split": report.name,
        "ok": report.ok,
        "partial": report.partial,
        "deep": report.deep,
        "counts": report.counts._asdict(),
        "expected": report.expected._asdict(),
        "sources": [{"file": str(path), "sha256": digest} for path, digest in report.sources],
        "images_present": report.images_present,
        "images_absent": report.images_absent,
        "formats": report.formats,
        "masks": report.masks,
        "without_mask": report.without_mask,
        "problems": [problem._asdict() for problem in report.problems],
        "notes": [asdict(note) for note in report.notes],
    }


def _print_report(report: Report, images: bool) -> None:
    state = ("ok" if report.ok else counted(len(report.problems), "PROBLEM", "PROBLEMS")) + (
        ", partial" if report.partial else ""
    )
    _say(f"{report.name}: {state}")
    if report.counts.images is not None:
        counts = [
            f"{found} {key[:-1] if found == 1 else key}"
            + ("" if wanted is None else " (as expected)" if wanted == found else f" (expected {wanted})")
            for key, found, wanted in zip(report.counts._fields, report.counts, report.expected, strict=True)
        ]
        _say("  counts  " + ", ".join(counts))
        how = "every pixel decoded" if report.deep else "size, format and end checked"
        formats = ", ".join(f"{count} {kind}" for kind, count in report.formats.items())
        there = f"{report.images_present} there, {report.images_absent} absent"
        sound = f"; sound: {formats} ({how})" if formats else ""
        _say(f"  images  {there}{sound}" if images else "  images  not checked")
        how = "drawn" if report.deep else "corners and codes checked"
        none = f", {report.without_mask} without" if report.without_mask else ""
        _say(f"  masks   {report.masks} sound ({how}){none}")
    for note in report.notes:
        _say(f"  note    {note.text}")
    kinds: Counter[str] = Counter()
    for problem in report.problems:
        kinds[problem.kind] += 1
        if kinds[problem.kind] <= _SHOWN:
            _say(f"  {problem.kind} {problem.name}: {problem.text}")
    more = [f"{count - _SHOWN} more of {kind}" for kind, count in kinds.items() if count > _SHOWN]
    if more:
        _say(f"  and {', '.join(more)} (--json lists all)")


def _say(line: str) -> None:
    show.print_line(line)
