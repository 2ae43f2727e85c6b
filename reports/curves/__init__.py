"""Curves: P@k over k, IoU against object size, scores over thresholds, and the terms of a training.

Runs give the first two panels, runs with saved heats also the third, and logs of a training (``log.jsonl``) one panel
for each term. A panel is as wide as a column of a two-column paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from risbench import DataError, Run, UsageError
from risbench.results.folder import HEATS

from ..about import common_rows, left_out_note, notes_of, split_of_runs, titles_of
from ..letters import wrapped
from ..picture import save
from .area import draw_area
from .precision import draw_precision
from .style import HEIGHT, WIDTH, drawing
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
) -> str | None:
    """Draw the curves to ``out``, a PNG or PDF.

    Args:
        runs: of one split; may be empty if there are logs.
        out: the picture.
        metrics: must be None.
        data_root: where the annotations lie, by default where the first run found them.
        logs: files that trainings write, with one JSON object for each step.

    Raises:
        UsageError: ``out`` is absent or has another suffix, there is nothing to draw, or ``metrics`` is given.
        DataError: no expression has a true mask.
    """
    if out is None or out.suffix not in (".png", ".pdf"):
        raise UsageError("curves are a picture: give --out FILE.png or FILE.pdf")
    if metrics is not None:
        raise UsageError("curves show fixed metrics: leave --metrics out")
    if not runs and not logs:
        raise UsageError("curves need runs, or a training's log.jsonl: give one of them")
    panels: list[Panel] = []
    notes: list[str] = []
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
    caption = [line for note in notes for line in wrapped(note, 62 * columns).split("\n")]
    with drawing(columns * WIDTH, lines * HEIGHT, caption) as (figure, area):
        axes = list(area.subplots(lines, columns, squeeze=False).flat)
        for cell in axes:
            cell.set_axis_off()
        for cell, panel in zip(axes, panels, strict=False):
            cell.set_axis_on()
            panel(cell)
        save(figure, out)
    return None


def _of_runs(runs: Sequence[Run], data_root: Path | None) -> tuple[list[Panel], list[str]]:
    split, titles = split_of_runs(runs, data_root), titles_of(runs)
    rows, left_out = common_rows(runs)
    notes = notes_of(runs)
    if left_out:
        notes.append(left_out_note(left_out))
    together = [name for name in rows[0] if all(of[name].iou is not None for of in rows)]
    listed = [[of[name] for name in together] for of in rows]
    if not listed[0]:
        raise DataError("curves show IoU, but no expression of these runs has a true mask")
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
