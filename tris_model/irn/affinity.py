"""The losses of IRN: edges and displacements are learned from pairs of confident pixels.

The affinity of two cells is one minus the highest edge on the straight path between them. It should be high for cells
of the same label and low for cells of different labels. So edges are learned between labels, although no edge was ever
annotated. Displacements of two cells of one object should point at the same place. The background has no centre, so
displacements of two background cells should be equal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .labels import BACKGROUND, OBJECT
from .paths import Path, Window, half_disc, window

FLOOR = 1e-5


class Losses(NamedTuple):
    """The four terms, each ``()``.

    Attributes:
        alike: pairs of the same label should have a high affinity; object pairs and background pairs count the same.
        apart: pairs of different labels should have a low affinity.
        inside: displacements of object pairs.
        outside: displacements of background pairs.
    """

    alike: Tensor
    apart: Tensor
    inside: Tensor
    outside: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of all terms, which is minimised."""
        return (self.alike + self.apart) / 2 + (self.inside + self.outside) / 2


def losses(edges: Tensor, displacements: Tensor, labels: Tensor, radius: int = 10) -> Losses:
    """Compute all terms over all pairs of cells closer than ``radius``; a term without pairs is 0.

    Args:
        edges: ``(B, 1, h, w)``, logits.
        displacements: ``(B, 2, h, w)``, (down, right) in cells.
        labels: uint8 ``(B, h, w)``: 1 object, 0 background, 255 unsure.
        radius: in cells.

    Raises:
        UsageError: the map is too small for any pair.
    """
    paths = half_disc(radius)
    inner = window((labels.shape[1], labels.shape[2]), radius)
    ends = [path.end for path in paths]
    start = inner.at(labels, (0, 0))[:, None]  # (B, 1, h', w')
    end = torch.stack([inner.at(labels, offset) for offset in ends], 1)  # (B, D, h', w')
    objects = ((start == OBJECT) & (end == OBJECT)).float()
    grounds = ((start == BACKGROUND) & (end == BACKGROUND)).float()
    others = (((start == OBJECT) & (end == BACKGROUND)) | ((start == BACKGROUND) & (end == OBJECT))).float()

    affinity = affinities(torch.sigmoid(edges[:, 0]), paths, inner)  # (B, D, h', w')
    high = -torch.log(affinity + FLOOR)
    low = -torch.log(1 + FLOOR - affinity)
    # If two pixels point at the same place, their displacements differ by the vector between them.
    toward = torch.stack([inner.at(displacements, offset) for offset in ends], 2)  # (B, 2, D, h', w')
    differ = inner.at(displacements, (0, 0))[:, :, None] - toward
    way = torch.tensor(ends, dtype=differ.dtype, device=differ.device).T[None, :, :, None, None]
    return Losses(
        alike=(_mean(high, grounds) + _mean(high, objects)) / 2,
        apart=_mean(low, others),
        inside=_mean((differ - way).abs().sum(1), objects, axes=2),
        outside=_mean(differ.abs().sum(1), grounds, axes=2),
    )


def _mean(values: Tensor, chosen: Tensor, axes: int = 1) -> Tensor:
    return (values * chosen).sum() / (axes * chosen.sum() + FLOOR)


def affinities(edges: Tensor, paths: tuple[Path, ...], inner: Window) -> Tensor:
    """One minus the highest edge on each path.

    Args:
        edges: ``(B, h, w)`` in [0, 1].
        paths: the D paths.
        inner: the start cells.

    Returns:
        ``(B, D, h', w')``.
    """
    highest: Any = _HighestOnPath.apply(edges, paths, inner)
    return 1 - highest


class _HighestOnPath(torch.autograd.Function):
    """The maximum over each path. It stores only the index of the maximum: one byte per path instead of all cells.

    Radius 10 has 152 paths; a stack of all their cells would take sixty times the memory.
    """

    @staticmethod
    def forward(ctx: Any, edges: Tensor, paths: tuple[Path, ...], inner: Window) -> Tensor:
        size = (len(edges), len(paths), inner.height, inner.width)
        highest = edges.new_empty(size)
        which = torch.zeros(size, dtype=torch.uint8, device=edges.device)
        for index, path in enumerate(paths):
            best = inner.at(edges, path.cells[0]).clone()
            for place, cell in enumerate(path.cells[1:], start=1):
                values = inner.at(edges, cell)
                which[:, index].masked_fill_(values > best, place)  # of equals, the first
                torch.maximum(best, values, out=best)
            highest[:, index] = best
        ctx.save_for_backward(which)
        ctx.where = (edges.shape, paths, inner)
        return highest

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None, None]:
        gradient: Tensor = gradients[0]
        (which,) = ctx.saved_tensors
        shape, paths, inner = ctx.where
        out = gradient.new_zeros(shape)
        flat = out.view(shape[0], -1)
        cells = torch.arange(shape[1] * shape[2], device=out.device).view(shape[1:])
        starts = inner.at(cells, (0, 0))
        for index, path in enumerate(paths):
            steps = torch.tensor([y * shape[2] + x for y, x in path.cells], device=out.device)
            taken = (starts + steps[which[:, index].long()]).flatten(1)  # the cell that was the highest
            flat.scatter_add_(1, taken, gradient[:, index].flatten(1))
        return out, None, None
