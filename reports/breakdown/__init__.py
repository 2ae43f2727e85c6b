"""Runs looked into (`--by`): scores by kind of expression, failures, IoU as a histogram, and one run against another.

Each kind is one table, printed as Markdown, LaTeX, CSV or JSON, and one picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from risbench import Run, UsageError
from risbench.plugins import near
from risbench.statistics.breakdown import BY

from ..letters import wrapped
from ..picture import require_picture, save, save_notes
from .failures import failure_breakdown
from .histogram import histogram
from .pair import pair_breakdown
from .parts import part_breakdown
from .result import BrokenDown

KINDS = (*BY, "failure", "iou", "pair")


def broken_down(runs: Sequence[Run], by: str, metrics: str | None = None, data_root: Path | None = None) -> BrokenDown:
    """The table and picture of one kind.

    Args:
        runs: of one split, copy and rules.
        by: one of `KINDS`.
        metrics: a comma-separated list, for scores by kind of expression only.
        data_root: where the annotations lie, by default where the first run found them.

    Raises:
        UsageError: there is no such kind, the runs cannot be compared, or ``metrics`` is given for another kind.
        DataError: the split is another copy, or no expression has a true mask.
    """
    if by not in KINDS:
        raise UsageError(f"--by {by}: {near(by, KINDS)}")
    if not runs:
        raise UsageError(f"--by {by} needs at least one run")
    if by in BY:
        return part_breakdown(runs, by, metrics, data_root)
    if metrics is not None:
        raise UsageError(f"--by {by} counts expressions: leave --metrics out")
    if by == "failure":
        return failure_breakdown(runs, data_root)
    return histogram(runs) if by == "iou" else pair_breakdown(runs)


def draw(
    runs: Sequence[Run],
    by: str,
    out: Path | None,
    metrics: str | None = None,
    data_root: Path | None = None,
    no_notes: bool = False,
) -> None:
    """Draw the picture of one kind to ``out``; see `broken_down`.

    Args:
        runs: of one split, copy and rules.
        by: one of `KINDS`.
        out: a PNG, PDF or SVG.
        metrics: a comma-separated list, for scores by kind of expression only.
        data_root: where the annotations lie, by default where the first run found them.
        no_notes: write the notes to a text file beside the picture, not into it.
    """
    from ..curves.style import drawing

    path = require_picture(out, f"--by {by} with --as curves draws")
    found = broken_down(runs, by, metrics, data_root)
    picture = found.picture
    notes = [*found.notes]
    letters = round(18.5 * picture.width)
    caption = [] if no_notes else [line for note in notes for line in wrapped(note, letters).split("\n")]
    with drawing(picture.width, picture.height, caption) as (figure, area):
        axes: Any = area.subplots(1, len(picture.panels), squeeze=False, sharey=picture.shared)[0]
        for cell, panel in zip(axes, picture.panels, strict=True):
            panel(cell)
        save(figure, path)
    if no_notes:
        save_notes(path, notes)
