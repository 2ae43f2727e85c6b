"""Mean IoU against object size, in bins with about equal numbers of expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from risbench import Split
from risbench.results.rows import Row
from risbench.statistics.ratios import intervals
from risbench.statistics.summary import clusters

from ..about import area_of
from .style import labelled, legend, look_of

_BINS = 8
_FEWEST = 5  # the least number of expressions in a bin whose mean is useful


def shares_of(split: Split, wanted: Sequence[str]) -> np.ndarray:
    """The part of the image that each sample's object covers: float64 ``(n,)``."""
    found: dict[tuple[Any, Any], float] = {}
    share: dict[str, float] = {}
    wanted_ids = set(wanted)
    for at, name in enumerate(split.ids):
        if name in wanted_ids:
            sample = split[at]
            key = (sample.image_id, sample.ref_id)
            if key not in found:
                found[key] = area_of(sample) / (sample.size[0] * sample.size[1])
            share[name] = found[key]
    return np.array([share[name] for name in wanted])


def bins_of(shares: np.ndarray) -> np.ndarray:
    """The bin of each expression, from 0. Bins are about equally full; equal sizes are always in the same bin."""
    count = max(1, min(_BINS, len(shares) // _FEWEST))
    edges = np.unique(np.quantile(shares, np.linspace(0, 1, count + 1)[1:-1])) if count > 1 else np.zeros(0)
    _, dense = np.unique(np.searchsorted(edges, shares, side="left"), return_inverse=True)
    return dense


def means(rows: Sequence[Row], bins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean IoU of each bin and its lower and upper bound, fractions; a bin with a single image has no bounds."""
    count = int(bins.max()) + 1
    iou = np.array([row.iou for row in rows], dtype=np.float64)
    image = clusters([row.image_id for row in rows])
    sums = np.zeros((int(image.max()) + 1, 2 * count))
    np.add.at(sums, (image, bins), iou)
    np.add.at(sums, (image, count + bins), 1)
    totals = sums.sum(axis=0)
    low, high = intervals(sums[:, :count], sums[:, count:])
    return totals[:count] / totals[count:], low, high


def draw_area(cell: Any, split: Split, runs: Sequence[Sequence[Row]], titles: Sequence[str]) -> None:
    """Draw one line for each run over the bins' median sizes."""
    shares = shares_of(split, [row.id for row in runs[0]])
    bins = bins_of(shares)
    middle = np.array([100 * np.median(shares[bins == one]) for one in range(int(bins.max()) + 1)])
    for place, (rows, title) in enumerate(zip(runs, titles, strict=True)):
        value, low, high = means(rows, bins)
        look = look_of(place)
        cell.plot(middle, 100 * value, label=title, **look)
        cell.fill_between(middle, 100 * low, 100 * high, color=look["color"], alpha=0.18, linewidth=0)
    if (middle > 0).all() and len(middle) > 1:
        cell.set_xscale("log")
        _plain_ticks(cell, middle)
    cell.set_ylim(0, 101)
    each = f"{len(middle)} bins of ≈ {len(shares) // len(middle)}"
    labelled(cell, "IoU against object size", f"object, % of the image ({each})", "mean IoU, %")
    legend(cell)


def _plain_ticks(cell: Any, middle: np.ndarray) -> None:
    """Label the axis with ordinary percentages, not powers of ten."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    nice = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    near = [value for value in nice if 0.7 * middle.min() <= value <= 1.4 * middle.max()]
    cell.xaxis.set_major_locator(FixedLocator(near or [float(middle[0])]))
    cell.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    cell.xaxis.set_minor_locator(NullLocator())
