"""Gaussian filtering of points with many coordinates on a permutohedral lattice (Adams et al. 2010).

``out_i = sum_j exp(-|f_i - f_j|^2 / 2) in_j`` costs N^2 products. On the lattice each point adds its value to the d + 1
vertices of its simplex, vertices are blurred along d + 1 axes by (1/2, 1, 1/2), and each point gathers from its simplex
again. This costs N d^2. The construction is that of Krähenbühl's dense CRF (and so of ``pydensecrf``), with the same
steps and roundings, so that a CRF gives the same labels with and without that package.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..devices import add_rows


class Lattice:
    """The lattice of N points; it can filter any number of values.

    Attributes:
        vertices: the number M of used lattice vertices, between d + 1 and N (d + 1).
    """

    def __init__(self, points: Tensor):
        """Build the lattice.

        Args:
            points: float32 ``(N, d)``, each coordinate divided by its standard deviation.
        """
        keys, self._weights = _enclose(points)
        # Vertices have integer coordinates; packed into one int64 they can be sorted. A margin of one step on each side
        # gives every neighbour a distinct number.
        dimension = points.shape[1]
        low = keys.amin((0, 1)) - (dimension + 1)
        spans = [int(span) for span in keys.amax((0, 1)) - low + dimension + 2]
        radix = [1]
        for span in spans[:-1]:
            radix.append(radix[-1] * span)
        packed = ((keys - low) * torch.tensor(radix, device=points.device)).sum(2)
        known, self._vertex = torch.unique(packed, return_inverse=True)
        self.vertices = len(known)
        steps = [-sum(radix) + (dimension + 1) * size for size in (*radix, 0)]
        self._neighbours = [_neighbours(known, step) for step in steps]

    def filter(self, values: Tensor) -> Tensor:
        """Compute the Gaussian sum over neighbours, up to one factor that is the same for all points.

        Args:
            values: float32 ``(N, C)``; channels are filtered separately.

        Returns:
            float32 ``(N, C)``.
        """
        channels = values.shape[1]
        # The last row represents all missing vertices and stays zero.
        now = values.new_zeros(self.vertices + 1, channels)
        for corner, weight in zip(self._vertex.T, self._weights.T, strict=True):
            add_rows(now, corner, weight[:, None] * values)
        for before, behind in self._neighbours:
            blurred = now[before].add_(now[behind]).mul_(0.5).add_(now[:-1])
            now[:-1] = blurred
        out = torch.zeros_like(values)
        for corner, weight in zip(self._vertex.T, self._weights.T, strict=True):
            out.addcmul_(now[corner], weight[:, None])
        return out


def _enclose(points: Tensor) -> tuple[Tensor, Tensor]:
    """The simplex round each point: its vertices' keys, int64 ``(N, d + 1, d)``, and weights ``(N, d + 1)``."""
    count, d = points.shape
    place = points.device
    # The scale makes the variance of the blur one (p. 6 of Adams et al.).
    index = torch.arange(d, device=place, dtype=torch.float64)
    scale = ((2 / 3) ** 0.5 * (d + 1) / ((index + 2) * (index + 1)).sqrt()).float()
    scaled = points * scale
    # Project onto the hyperplane of d + 1 coordinates whose sum is zero.
    after = scaled.flip(1).cumsum(1).flip(1)  # (N, d): sums of coordinates i and later
    steps = torch.arange(1, d + 1, device=place)
    behind = torch.cat([after[:, 1:], after.new_zeros(count, 1)], 1)
    lifted = torch.cat([after[:, :1], behind - steps * scaled], 1)  # (N, d + 1)
    # The nearest vertex of colour 0 (all coordinates multiples of d + 1), and the order of the remainders.
    whole = (lifted / (d + 1)).round()
    base, excess = whole * (d + 1), whole.sum(1, keepdim=True).long()
    left = lifted - base
    order = torch.argsort(left, dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(d + 1, device=place).expand(count, -1).contiguous())
    # Rounding may leave the hyperplane; the coordinates with the largest rounding are corrected.
    rank += excess
    turn = (rank < 0).long() - (rank > d).long()
    rank += turn * (d + 1)
    base += turn * (d + 1)
    left = (lifted - base) / (d + 1)
    weights = points.new_zeros(count, d + 2)
    weights.scatter_add_(1, d - rank, left)
    weights.scatter_add_(1, d + 1 - rank, -left)
    weights[:, 0] += 1 + weights[:, d + 1]
    # Vertex c of the simplex adds c to all coordinates, less d + 1 for the c of highest rank.
    colours = torch.arange(d + 1, device=place)
    added = colours[:, None] - (d + 1) * (colours[None, :] > d - colours[:, None])  # (colour, rank)
    keys = base.long()[:, None, :d] + added[:, rank[:, :d]].transpose(0, 1)
    return keys, weights[:, : d + 1].contiguous()


def _neighbours(known: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """The indices of each sorted vertex's two neighbours along an axis, int64 ``(M,)`` each; M if there is none."""
    count = len(known)
    place = torch.searchsorted(known, known + step).clamp_(max=count - 1)
    here = known[place] == known + step
    before = torch.where(here, place, count)
    behind = torch.full_like(before, count)
    behind[before[here]] = torch.nonzero(here)[:, 0]  # the neighbour's neighbour the other way is oneself
    return before, behind
