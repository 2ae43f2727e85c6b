"""P@k over k: the share of expressions with IoU >= k. The area below the curve is mIoU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from risbench.results.columns.rowcolumns import RowColumns
from risbench.results.rows import Row
from risbench.statistics.ratios import intervals
from risbench.statistics.summary import clusters

from .style import labelled, legend, look_of

# 35 / 50 is 0.7, and 35 * 0.02 is not.
LEVELS = np.arange(51) / 50


def precisions(rows: Sequence[Row] | RowColumns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P@k at `LEVELS` and its lower and upper bound, fractions, ``(51,)`` each."""
    of = RowColumns.of(rows)
    iou, image = of.iou, clusters(of.image_id)
    counts = np.bincount(image)
    # An IoU exactly at a level must count as it does in P@k, so nothing is rounded.
    above = np.stack([np.bincount(image[iou >= level], minlength=len(counts)) for level in LEVELS], axis=1)
    low, high = intervals(above.astype(np.float64), np.broadcast_to(counts[:, None].astype(np.float64), above.shape))
    return above.sum(axis=0) / len(iou), low, high


def draw_precision(cell: Any, runs: Sequence[Sequence[Row] | RowColumns], titles: Sequence[str]) -> None:
    """Draw one line for each run."""
    for place, (rows, title) in enumerate(zip(runs, titles, strict=True)):
        value, low, high = precisions(rows)
        look = look_of(place)
        miou = 100 * float(np.mean(RowColumns.of(rows).iou))
        cell.plot(LEVELS, 100 * value, label=f"{title}, mIoU {miou:.1f}", markevery=(place * 2 % 10, 10), **look)
        cell.fill_between(LEVELS, 100 * low, 100 * high, color=look["color"], alpha=0.18, linewidth=0)
    cell.set_xlim(0, 1)
    cell.set_ylim(0, 101)
    labelled(cell, "P@k: how many are at least this good", "k (IoU)", "P@k, %")
    legend(cell)
