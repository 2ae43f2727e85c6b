"""Paths, affinities and the four losses, by hand and against the way the authors compute them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from risbench.errors import UsageError
from tris_model.irn.affinity import FLOOR, affinities, losses
from tris_model.irn.paths import half_disc, window


def test_the_half_disc_holds_each_pair_once() -> None:
    for radius in (2, 5, 10):
        ends = [path.end for path in half_disc(radius)]
        disc = {
            (y, x)
            for y in range(-radius, radius + 1)
            for x in range(-radius, radius + 1)
            if 0 < y * y + x * x < radius * radius
        }
        assert {*ends, *((-y, -x) for y, x in ends)} == disc
        assert 2 * len(ends) == len(disc) == len(set(ends)) * 2
    assert len(half_disc(5)) == 34
    assert len(half_disc(10)) == 152


def test_paths_by_hand() -> None:
    paths = {path.end: path.cells for path in half_disc(5)}
    assert paths[0, 3] == ((0, 3), (0, 2), (0, 1), (0, 0))
    assert set(paths[1, 1]) == {(1, 1), (0, 1), (1, 0), (0, 0)}  # both corners are 0.71 away from the line
    assert set(paths[2, -1]) == {(2, -1), (1, -1), (1, 0), (0, 0), (2, 0), (0, -1)}  # the last two 0.89
    for end, cells in paths.items():
        assert cells[0] == end
        assert (0, 0) in cells


def test_an_affinity_is_one_minus_the_highest_edge_on_the_way() -> None:
    edges = torch.zeros(1, 3, 7)
    edges[0, 0] = torch.tensor([0, 0, 0.1, 0, 0.7, 0, 0])
    paths, inner = half_disc(3), window((3, 7), 3)
    assert inner == (2, 1, 3)  # one row of starts, columns 2 to 4
    found = dict(zip((path.end for path in paths), affinities(edges, paths, inner)[0], strict=True))
    torch.testing.assert_close(found[0, 1], torch.tensor([[0.9, 0.3, 0.3]]))
    torch.testing.assert_close(found[0, 2], torch.tensor([[0.3, 0.3, 0.3]]))
    torch.testing.assert_close(found[1, 0], torch.tensor([[0.9, 1.0, 0.3]]))


def plainly(edges: Tensor, displacements: Tensor, labels: Tensor, radius: int) -> list[Tensor]:
    """The authors' formulas, pair by pair."""
    batch, height, width = labels.shape
    edge = torch.sigmoid(edges[:, 0])
    terms: dict[str, list[Tensor]] = {"ground": [], "object": [], "apart": [], "inside": [], "outside": []}
    for b in range(batch):
        for y in range(height - radius + 1):
            for x in range(radius - 1, width - radius + 1):
                for end, cells in half_disc(radius):
                    y1, x1 = y + end[0], x + end[1]
                    pair = (int(labels[b, y, x]), int(labels[b, y1, x1]))
                    if 255 in pair:
                        continue
                    affinity = 1 - torch.stack([edge[b, y + cell[0], x + cell[1]] for cell in cells]).max()
                    differ = displacements[b, :, y, x] - displacements[b, :, y1, x1]
                    if pair[0] != pair[1]:
                        terms["apart"].append(-torch.log(1 + FLOOR - affinity))
                    elif pair[0] == 0:
                        terms["ground"].append(-torch.log(affinity + FLOOR))
                        terms["outside"].append(differ.abs().sum() / 2)
                    else:
                        terms["object"].append(-torch.log(affinity + FLOOR))
                        terms["inside"].append((differ - torch.tensor(end)).abs().sum() / 2)
    mean = {key: torch.stack(values).mean() if values else torch.zeros(()) for key, values in terms.items()}
    return [(mean["ground"] + mean["object"]) / 2, mean["apart"], mean["inside"], mean["outside"]]


def made_up(size: tuple[int, int] = (9, 11)) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(3)
    edges = torch.randn(2, 1, *size, generator=draw).requires_grad_()
    displacements = (3 * torch.randn(2, 2, *size, generator=draw)).requires_grad_()
    labels = torch.tensor([0, 1, 255], dtype=torch.uint8)[torch.randint(0, 3, (2, *size), generator=draw)]
    return edges, displacements, labels


def test_losses_and_gradients_are_those_of_the_formulas_pair_by_pair() -> None:
    edges, displacements, labels = made_up()
    found = losses(edges, displacements, labels, radius=4)
    want = plainly(edges, displacements, labels, radius=4)
    torch.testing.assert_close(torch.stack(list(found)), torch.stack(want), rtol=1e-4, atol=1e-4)
    own = torch.autograd.grad(found.total, [edges, displacements])
    theirs = torch.autograd.grad((want[0] + want[1]) / 2 + (want[2] + want[3]) / 2, [edges, displacements])
    for one, other in zip(own, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_the_gradient_of_affinities_is_the_numerical_one() -> None:
    edges = torch.rand(1, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    paths, inner = half_disc(3), window((4, 6), 3)
    assert torch.autograd.gradcheck(lambda x: affinities(x, paths, inner), (edges,))


def test_losses_by_hand() -> None:
    # Two columns of starts, radius 2: ends (0, 1), (1, -1), (1, 0), (1, 1); one row of starts in two rows of cells.
    labels = torch.tensor([[[0, 0, 1, 1], [0, 0, 1, 1]]], dtype=torch.uint8)
    edges = torch.full((1, 1, 2, 4), -50.0)  # no edges: all affinities 1
    displacements = torch.zeros(1, 2, 2, 4)
    found = losses(edges, displacements, labels, radius=2)
    # Pairs of the start (0, 1): right differs, down-left and down are background, down-right differs. Of (0, 2): right,
    # down and down-right are object, down-left differs. The way to the three: 1, 1 and 1 + 1 cells.
    assert found.alike.item() == pytest.approx(0, abs=1e-4)
    assert found.apart.item() == pytest.approx(-np.log(1e-5), rel=1e-2)
    assert found.inside.item() == pytest.approx(4 / 6, rel=1e-4)
    assert found.outside.item() == 0
    pointing = torch.stack(torch.meshgrid(-torch.arange(2.0), -torch.arange(4.0), indexing="ij"))[None]
    assert losses(edges, pointing, labels, radius=2).inside.item() == pytest.approx(0)  # all at (0, 0)


def test_a_map_of_one_label_or_none_has_finite_losses() -> None:
    edges, displacements, labels = made_up()
    for value in (0, 1, 255):
        found = losses(edges, displacements, torch.full_like(labels, value), radius=3)
        assert torch.isfinite(torch.stack(list(found))).all()
        found.total.backward()
    assert torch.isfinite(edges.grad).all()  # pyright: ignore
    assert losses(edges, displacements, torch.full_like(labels, 255), radius=3).total.item() == 0


def test_a_saturated_edge_keeps_losses_finite() -> None:
    edges, displacements, labels = made_up()
    for value in (-200.0, 200.0):
        extreme = torch.full_like(edges, value).requires_grad_()
        found = losses(extreme, displacements, labels, radius=3).total
        found.backward()
        assert torch.isfinite(found)
        assert torch.isfinite(extreme.grad).all()  # pyright: ignore


def test_a_map_without_room_for_a_pair_is_refused() -> None:
    with pytest.raises(UsageError, match="radius 10"):
        window((9, 40), 10)
    with pytest.raises(UsageError, match="radius 10"):
        window((40, 18), 10)
    assert window((10, 19), 10) == (9, 1, 1)
    with pytest.raises(UsageError, match="radius 1"):
        window((10, 10), 1)
