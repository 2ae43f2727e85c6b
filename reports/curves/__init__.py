"""Curves: P@k over k, IoU against object size, scores over thresholds, and the terms of a training.

Runs give the first two panels, runs with saved heats also the third, and logs of a training (``log.jsonl``) one panel
for each term. A panel is as wide as a column of a two-column paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from risbench import DataError, Run, UsageError
from risbench.results.folder import HEATS

from ..about import common_columns, left_out_note, notes_of, split_of_runs, titles_of
from ..letters import wrapped
from ..picture import require_picture, save, save_notes
from .area import draw_area
from .precision import draw_precision
from .style import HEIGHT, WIDTH, drawing, legend_height
from .sweep import draw_sweep, sweep_of
from .training import Log, draw_term

Panel = Callable[[Any], None]


def render(
    runs: Sequence[Run],
    *,
    out: Path | None = None,
    metrics: str | None = None,
    data_root: Path | None = None,
    logs: Sequence[Path] = (),
    by: str | None = None,
    no_notes: bool = False,
) -> str | None:
    """Draw the curves to ``out``, a PNG, PDF or SVG.

    Args:
        runs: of one split; may be empty if there are logs.
        out: the picture.
        metrics: must be None, but for scores by kind of expression.
        data_root: where the annotations lie, by default where the first run found them.
        logs: files that trainings write, with one JSON object for each step.
        by: draw the picture of one kind of breakdown instead; see `reports.breakdown.KINDS`.
        no_notes: write the notes to a text file beside the picture, not into it.

    Raises:
        UsageError: ``out`` is absent or has another suffix, there is nothing to draw, or ``metrics`` is given.
        DataError: no expression has a true mask.
    """
    if by is not None:
        from ..breakdown import draw

        if logs:
            raise UsageError("--by shows runs: leave the training's log out")
        draw(runs, by, out, metrics, data_root, no_notes)
        return None
    out = require_picture(out, "curves are")
    if metrics is not None:
        raise UsageError("curves show fixed metrics: leave --metrics out")
    if not runs and not logs:
        raise UsageError("curves need runs, or a training's log.jsonl: give one of them")
    panels: list[Panel] = []
    notes: list[str] = []
    read: list[Log] = []
    if runs:
        of_runs, notes = _of_runs(runs, data_root)
        panels += of_runs
    if logs:
        read = Log.read_all(logs)
        panels += [_term(read, term) for term in Log.terms_of(read)]
        notes.append(
            f"Logs: {', '.join(log.title for log in read)}. Of long ones the values are faint, their means firm."
        )
        notes += [note for log in read for note in log.notes]
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    caption = [] if no_notes else [line for note in notes for line in wrapped(note, 62 * columns).split("\n")]
    height = HEIGHT + legend_height(_legend_of(runs, [log.title for log in read]), WIDTH)
    with drawing(columns * WIDTH, lines * height, caption) as (figure, area):
        axes = list(area.subplots(lines, columns, squeeze=False).flat)
        for cell in axes:
            cell.set_axis_off()
        for cell, panel in zip(axes, panels, strict=False):
            cell.set_axis_on()
            panel(cell)
        save(figure, out)
    if no_notes:
        save_notes(out, notes)
    return None


def _legend_of(runs: Sequence[Run], logs: Sequence[str]) -> list[str]:
    """About the labels of the longest legend, for its height."""
    titles = [f"{title}, mIoU 00.0" for title in titles_of(runs)] if runs else []
    hot = [title for title, run in zip(titles, runs, strict=True) if (run.path / HEATS).is_dir()]
    return max(titles, 2 * hot, list(logs) if len(logs) > 1 else [], key=len)


def _of_runs(runs: Sequence[Run], data_root: Path | None) -> tuple[list[Panel], list[str]]:
    split, titles = split_of_runs(runs, data_root), titles_of(runs)
    columns, left_out = common_columns(runs)
    notes = notes_of(runs)
    if left_out:
        notes.append(left_out_note(left_out))
    together = np.flatnonzero(np.all([~np.isnan(of.iou) for of in columns], axis=0))
    if not len(together):
        raise DataError("curves show IoU, but no expression of these runs has a true mask")
    listed = columns if len(together) == len(columns[0]) else [of.take(together) for of in columns]
    panels: list[Panel] = [
        lambda cell: draw_precision(cell, listed, titles),
        lambda cell: draw_area(cell, split, listed, titles),
    ]
    hot = [(place, run) for place, run in enumerate(runs) if (run.path / HEATS).is_dir()]
    if hot:
        swept = [(place, titles[place], sweep_of(run, split)) for place, run in hot]
        panels.append(lambda cell: draw_sweep(cell, swept))
        notes.append("A threshold chosen on this curve is tuned on this split: report it on another one.")
    notes.append("Bands: 95 % intervals over images.")
    return panels, notes


def _term(logs: Sequence[Log], term: str) -> Panel:
    return lambda cell: draw_term(cell, logs, term)
