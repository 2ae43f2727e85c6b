"""How IoU is distributed: the number of expressions in each of twenty bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from risbench import DataError, Run
from risbench.results.columns.rowcolumns import RowColumns
from risbench.statistics.breakdown import share

from ..about import titles_of
from ..curves.style import HEIGHT, WIDTH, labelled, legend, legend_height, look_of
from .result import BrokenDown, PanelPicture, PartColumn, Value, columns_of_runs

EDGES = np.arange(21) / 20
"""A bin holds its lower edge; the last one also holds IoU 1."""


def bins_of_iou(ious: np.ndarray) -> np.ndarray:
    """The bin of each IoU, 0 to 19. The bins from 10 on together are P@0.5."""
    return np.minimum(np.searchsorted(EDGES, ious, side="right") - 1, len(EDGES) - 2)


def ious_with_truth(rows: Sequence[RowColumns], what: str) -> tuple[np.ndarray, np.ndarray]:
    """The IoU of each run's expressions with a true mask, ``(runs, n)``, and their image ids.

    Raises:
        DataError: no expression has a true mask; ``what`` begins the message.
    """
    ious = np.stack([of.iou for of in rows])
    known = ~np.isnan(ious).any(axis=0)
    if not known.any():
        raise DataError(f"{what} needs IoU, but no expression of these runs has a true mask")
    return ious[:, known], rows[0].image_id[known]


def histogram(runs: Sequence[Run]) -> BrokenDown:
    """The number of expressions of each run by IoU.

    Raises:
        DataError: no expression has a true mask.
    """
    rows, notes = columns_of_runs(runs)
    ious, images = ious_with_truth(rows, "--by iou")
    titles = titles_of(runs)
    columns = [PartColumn("iou_from", "IoU from, %"), PartColumn("iou_to", "to, %")]
    for place, title in enumerate(titles):
        before = "" if len(runs) == 1 else f"{title} "
        columns.append(PartColumn(f"{title} expressions", f"{before}expressions", run=place))
        columns.append(PartColumn(f"{title} share", f"{before}share" if len(runs) == 1 else title, True, place))
    bins = [bins_of_iou(each) for each in ious]
    lines: list[tuple[Value, ...]] = []
    for at in range(len(EDGES) - 1):
        cells: list[Value] = [round(100 * EDGES[at]), round(100 * EDGES[at + 1])]
        for each in bins:
            cells += [int((each == at).sum()), share(each == at, images)]
        lines.append(tuple(cells))
    zero = ", ".join(f"{title} {int((each == 0).sum())}" for title, each in zip(titles, ious, strict=True))

    def panel(cell: Any) -> None:
        _draw(cell, titles, ious, bins)

    return BrokenDown(
        by="iou",
        title="Expressions by IoU",
        split=runs[0].summary["split"],
        rules=runs[0].summary["rules"]["name"],
        runs=tuple(titles),
        columns=tuple(columns),
        rows=tuple(lines),
        notes=(
            "Each bin holds its lower edge; the last one also holds IoU 1.",
            f"Of {ious.shape[1]} expressions, IoU is exactly 0: {zero}.",
            *notes,
        ),
        picture=PanelPicture(WIDTH, HEIGHT + legend_height(_labels(titles, ious), WIDTH), [panel]),
    )


def _labels(titles: Sequence[str], ious: np.ndarray) -> list[str]:
    return [f"{title}, mIoU {100 * each.mean():.1f}" for title, each in zip(titles, ious, strict=True)]


def _draw(cell: Any, titles: Sequence[str], ious: np.ndarray, bins: Sequence[np.ndarray]) -> None:
    for place, (label, each) in enumerate(zip(_labels(titles, ious), bins, strict=True)):
        look = look_of(place)
        heights = 100 * np.bincount(each, minlength=len(EDGES) - 1) / len(each)
        # One run is filled; several are outlines, which do not hide one another.
        filled = {"fill": True, "alpha": 0.75} if len(titles) == 1 else {"fill": False}
        style = {"color": look["color"], "linestyle": look["linestyle"], "linewidth": 1.3, "label": label}
        cell.stairs(heights, 100 * EDGES, baseline=0, **filled, **style)
    cell.axvline(50, color="#888888", linewidth=0.8, linestyle=":")
    cell.set_xlim(0, 100)
    cell.set_ylim(bottom=0)
    labelled(cell, "How IoU is distributed", "IoU, % (bins of 5)", f"% of {ious.shape[1]} expressions")
    legend(cell)
