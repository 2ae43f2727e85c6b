"""Run lengths of a mask: background and mask by turns, column by column, int64 ``(n,)``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def without_empty(runs: np.ndarray) -> np.ndarray:
    """The same mask without runs of length 0 behind the first."""
    if runs[1:].all():
        return runs
    ends = np.cumsum(runs)
    starts, stops = ends[:-1:2], ends[1::2]
    full = stops > starts
    return between(*joined(starts[full], stops[full]), int(ends[-1]))


def joined(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of mask, in order, without gaps of length 0 between them."""
    apart = starts[1:] != stops[:-1]
    if apart.all():
        return starts, stops
    return starts[np.append(True, apart)], stops[np.append(apart, True)]


def between(starts: np.ndarray, stops: np.ndarray, total: int) -> np.ndarray:
    """Run lengths of an image of ``total`` pixels from where runs of mask begin and end, int64 ``(n,)`` each."""
    bounds = np.empty(2 * len(starts) + 2, dtype=np.int64)
    bounds[0], bounds[-1] = 0, total
    bounds[1:-1:2], bounds[2:-1:2] = starts, stops
    runs = bounds[1:] - bounds[:-1]
    return runs if len(runs) == 1 or runs[-1] else runs[:-1]


def layered(parts: Sequence[np.ndarray], total: int, once: bool) -> np.ndarray:
    """The runs of what any part covers, or exactly one, from the runs of each part."""
    ends = [np.cumsum(runs) for runs in parts]
    starts = np.concatenate([np.zeros(0, np.int64), *(each[:-1:2] for each in ends)])
    stops = np.concatenate([np.zeros(0, np.int64), *(each[1::2] for each in ends)])
    places = np.concatenate([starts, stops])
    order = np.argsort(places, kind="stable")
    places = places[order]
    layers = np.cumsum(np.where(order < len(starts), 1, -1))
    last = np.append(places[1:] != places[:-1], True)[: len(places)]  # of the changes at one place
    places, inside = places[last], (layers[last] == 1) if once else (layers[last] > 0)
    changes = inside != np.append(False, inside[:-1])[: len(inside)]
    bounds = places[changes]
    return between(bounds[::2], bounds[1::2], total)
