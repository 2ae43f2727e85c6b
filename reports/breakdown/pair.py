"""IoU of one run against another, expression by expression: a point each, and how often either is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from risbench import Run, UsageError
from risbench.plain import counted, plain
from risbench.statistics.breakdown import share
from risbench.statistics.failures import RIGHT

from ..about import titles_of
from ..curves.style import COLOURS, WIDTH, labelled
from .histogram import ious_with_truth
from .result import BrokenDown, PanelPicture, PartColumn, columns_of_runs


def pair_breakdown(runs: Sequence[Run]) -> BrokenDown:
    """Which of two runs is right where, and their IoU on the expressions of each case.

    Raises:
        UsageError: not two runs.
        DataError: no expression has a true mask.
    """
    if len(runs) != 2:
        raise UsageError(f"--by pair shows one run against another: give two runs, not {len(runs)}")
    rows, notes = columns_of_runs(runs)
    ious, images = ious_with_truth(rows, "--by pair")
    titles = titles_of(runs)
    first, second = ious >= RIGHT
    cases = {
        "both": first & second,
        f"only {titles[0]}": first & ~second,
        f"only {titles[1]}": ~first & second,
        "neither": ~first & ~second,
    }
    columns = [
        PartColumn("right", "IoU ≥ 50 %"),
        PartColumn("expressions", "expressions"),
        PartColumn("share", "share", True),
        *(PartColumn(f"{title} mIoU", f"{title} mIoU", True, place) for place, title in enumerate(titles)),
    ]
    lines = [
        (name, int(flags.sum()), share(flags, images), *(_mean(each[flags]) for each in ious))
        for name, flags in cases.items()
    ]
    better = [int((ious[0] > ious[1]).sum()), int((ious[1] > ious[0]).sum())]
    same = ious.shape[1] - sum(better)
    notes.insert(
        0,
        f"IoU is larger under {titles[0]} for {better[0]}, under {titles[1]} for {better[1]}, the same for {same} of "
        f"{counted(ious.shape[1], 'expression')}.",
    )

    def panel(cell: Any) -> None:
        _draw(cell, titles, ious, {name: float(flags.mean()) for name, flags in cases.items()})

    return BrokenDown(
        by="pair",
        title=f"{titles[0]} against {titles[1]}",
        split=runs[0].summary["split"],
        rules=runs[0].summary["rules"]["name"],
        runs=tuple(titles),
        columns=tuple(columns),
        rows=tuple(lines),
        notes=(*notes, "Intervals: 95 % over images. `risbench compare` tests whether the runs differ."),
        picture=PanelPicture(WIDTH, WIDTH, [panel]),
    )


def _mean(ious: np.ndarray) -> dict[str, Any]:
    value = float(ious.mean()) if ious.size else None
    return {"value": value, "low": None, "high": None, "count": int(ious.size)}


def _draw(cell: Any, titles: Sequence[str], ious: np.ndarray, cases: dict[str, float]) -> None:
    faint = float(np.clip(40 / np.sqrt(ious.shape[1]), 0.12, 0.8))
    # In a vector file thousands of points would be slow to show, so the points alone are pixels.
    cell.scatter(
        100 * ious[0], 100 * ious[1], s=7, color=COLOURS[0], alpha=faint, linewidths=0, rasterized=True, clip_on=False
    )
    cell.plot([0, 100], [0, 100], color="#555555", linewidth=0.8)
    for line in (cell.axvline, cell.axhline):
        line(50, color="#888888", linewidth=0.8, linestyle=":")
    shares = list(cases.values())
    for (across, up), part in zip(((0.98, 0.98), (0.98, 0.02), (0.02, 0.98), (0.02, 0.02)), shares, strict=True):
        sides = {"ha": "right" if across > 0.5 else "left", "va": "top" if up > 0.5 else "bottom"}
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.2}
        cell.text(across, up, f"{100 * part:.0f} %", transform=cell.transAxes, fontsize=7.5, bbox=box, **sides)
    cell.set_xlim(0, 100)
    cell.set_ylim(0, 100)
    cell.set_aspect("equal")
    titles = [plain(title, 30) for title in titles]
    labelled(cell, "", f"IoU of {titles[0]}, %", f"IoU of {titles[1]}, %")
