"""A random walk that spreads a heat over an object and stops at its edges.

The walk has 256 steps. A step goes from a cell to a cell at a distance below five, with a probability proportional to
``affinity ** 10``. The authors square the dense matrix of all pairs eight times. But each row of it has at most 69
entries, and the heat is a vector, so 256 sparse products give the same result with a hundredth of the memory.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from risbench.errors import DataError

from ..ranges import Count, Number
from .paths import half_disc

AT_ONCE = 32  # heats that walk together; memory grows with it
NOTHING = 1e-30  # a weight that no float32 sum with the cell's own, 1, can feel; denormal numbers are slow


@dataclass(frozen=True, slots=True)
class Walk:
    """Settings of the walk; the defaults are the authors'.

    Attributes:
        steps: number of steps.
        radius: bound of a step's length, in cells.
        power: exponent of the affinities; a higher one lets less heat cross an edge.
    """

    steps: Number = 256
    radius: Count = 5
    power: Number = 10


PAPER = Walk()


def transition(edges: np.ndarray, how: Walk = PAPER) -> sparse.csr_array:
    """The transition matrix of the walk.

    Args:
        edges: float ``(h, w)`` in [0, 1].
        how: settings of the walk; radius and power are used.

    Returns:
        float32 ``(n, n)`` for n = h w cells, row by row: ``T @ heat`` is the heat one step later. Rows sum to 1.

    Raises:
        DataError: the edges are outside [0, 1], NaN, or not ``(h, w)``.
    """
    if edges.ndim != 2 or 0 in edges.shape or not (np.isfinite(edges).all() and edges.min() >= 0 and edges.max() <= 1):
        raise DataError("edges must be (h, w) in [0, 1] without NaN; did the network's training diverge?")
    height, width = edges.shape
    edges = edges.astype(np.float32)
    cells = np.arange(height * width, dtype=np.int32).reshape(height, width)
    starts, ends, weights = [cells.ravel()], [cells.ravel()], [np.ones(height * width, np.float32)]
    for path in half_disc(how.radius):
        down, right = path.end
        # The starts from which this path stays inside the image.
        left, rows, columns = max(0, -right), height - down, width - abs(right)
        if rows < 1 or columns < 1:
            continue

        def window(grid: np.ndarray, cell: tuple[int, int], box: tuple[int, int, int] = (left, rows, columns)) -> Any:
            x = box[0] + cell[1]
            return grid[cell[0] : cell[0] + box[1], x : x + box[2]]

        highest = window(edges, path.cells[0])
        for cell in path.cells[1:]:
            highest = np.maximum(highest, window(edges, cell))
        weight = ((1 - highest) ** how.power).ravel()
        some = weight > NOTHING
        start, end = window(cells, (0, 0)).ravel()[some], window(cells, path.end).ravel()[some]
        starts += [start, end]
        ends += [end, start]
        weights += [weight[some], weight[some]]
    pairs = (np.concatenate(starts), np.concatenate(ends))
    matrix = sparse.coo_array((np.concatenate(weights), pairs), (height * width,) * 2).tocsr()
    # The authors' matrix multiplies from the right, and its columns sum to 1. Weights are symmetric, so here rows do.
    sums = matrix.sum(1, dtype=np.float64)  # 256 steps add up what rounding does to a row
    matrix.data = (matrix.data / np.repeat(sums, np.diff(matrix.indptr))).astype(np.float32)
    return matrix


def spread(heats: np.ndarray, edges: np.ndarray, how: Walk = PAPER, device: str | torch.device = "cpu") -> np.ndarray:
    """Spread heats by the walk.

    Args:
        heats: float ``(K, h, w)``, spread separately. Heat on an edge is removed first.
        edges: float ``(h, w)`` in [0, 1].
        how: settings of the walk.
        device: the device of the products.

    Returns:
        float32 ``(K, h, w)``. A heat of zeros stays zero; K may be 0.

    Raises:
        DataError: shapes differ, values are NaN, or edges are outside [0, 1].
    """
    if heats.ndim != 3 or heats.shape[1:] != edges.shape or not np.isfinite(heats).all():
        raise DataError(f"heats must be finite and (K, h, w) like the edges {edges.shape}, not {heats.shape}")
    start = (heats * (1 - edges)).astype(np.float32).reshape(len(heats), edges.size).T
    out = np.zeros_like(start)
    warm = np.flatnonzero(start.any(0))
    if not len(warm):
        return out.T.reshape(heats.shape)
    matrix = transition(edges, how)
    place = torch.device(device)
    for first in range(0, len(warm), AT_ONCE):
        some = warm[first : first + AT_ONCE]
        now = np.ascontiguousarray(start[:, some])
        out[:, some] = (
            _on_cpu(matrix, now, how.steps) if place.type == "cpu" else _by_torch(matrix, now, how.steps, place)
        )
    return np.ascontiguousarray(out.T).reshape(heats.shape)


def _on_cpu(matrix: sparse.csr_array, now: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        now = matrix @ now
    return now


def _by_torch(matrix: sparse.csr_array, start: np.ndarray, steps: int, device: torch.device) -> np.ndarray:
    with warnings.catch_warnings():
        for known in ("Sparse CSR tensor support is in beta", "Sparse invariant checks are implicitly disabled"):
            warnings.filterwarnings("ignore", message=known)
        held = torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr), torch.from_numpy(matrix.indices), torch.from_numpy(matrix.data),
            size=matrix.shape, device=device, check_invariants=True,
        )  # fmt: skip
        now: Tensor = torch.from_numpy(start).to(device)
        for _ in range(steps):
            now = held @ now
        return now.cpu().numpy()
