"""Contour maps: tightness and sparsity by hand, windows round boxes, and a network that is not shown the box."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import baselines.cts_style
from baselines.cts_style.boxed import boxed_objects, pixels_of, window_round
from baselines.cts_style.contour import (
    ContourNetwork,
    ContourSizes,
    ContourWeights,
    contour_input,
    contour_losses,
    contour_maps,
)
from risbench import load_split

SMALL = ContourSizes(side=16, width=4, depth=2)


def a_box(rows: slice, columns: slice, side: int = 6) -> torch.Tensor:
    inside = torch.zeros(1, side, side, dtype=torch.bool)
    inside[0, rows, columns] = True
    return inside


def test_a_diagonal_is_tight_and_sparse_and_a_full_box_is_tight_alone():
    inside = a_box(slice(1, 5), slice(1, 5))
    diagonal = torch.zeros(1, 6, 6)
    diagonal[0, range(1, 5), range(1, 5)] = 1
    terms = contour_losses(diagonal, inside)
    assert terms["tightness"].item() == pytest.approx(0, abs=1e-6)
    assert terms["sparsity"].item() == pytest.approx(4 / 16)
    assert terms["outside"].item() == 0
    full = contour_losses(inside.float(), inside)
    assert (full["tightness"].item(), full["sparsity"].item()) == pytest.approx((0, 1), abs=1e-6)
    assert contour_losses(torch.zeros(1, 6, 6), inside)["tightness"].item() == pytest.approx(2)


def test_the_terms_are_those_computed_pixel_by_pixel():
    torch.manual_seed(0)
    maps = torch.rand(3, 5, 7)
    inside = torch.zeros(3, 5, 7, dtype=torch.bool)
    inside[0, 1:4, 2:6] = inside[1, :, :] = inside[2, 0:1, 3:4] = True
    weights = ContourWeights(tightness=2.0, sparsity=0.3, outside=0.7)
    found = contour_losses(maps, inside, weights)
    tightness = sparsity = outside = 0.0
    for one, box in zip(maps.tolist(), inside.tolist(), strict=True):
        for turned, wanted in ((one, box), ([*zip(*one, strict=True)], [*zip(*box, strict=True)])):
            p = [max(row) for row in turned]
            q = [float(max(row)) for row in wanted]
            dot = sum(a * b for a, b in zip(p, q, strict=True))
            tightness += (1 - 2 * dot / (sum(a * a for a in p) + sum(b * b for b in q))) / 3
        pairs = [(v, b) for row, flags in zip(one, box, strict=True) for v, b in zip(row, flags, strict=True)]
        within, beyond = [v for v, b in pairs if b], [v for v, b in pairs if not b]
        sparsity += sum(within) / len(within) / 3
        outside += sum(beyond) / max(1, len(beyond)) / 3
    assert found["tightness"].item() == pytest.approx(tightness, rel=1e-5)
    assert found["sparsity"].item() == pytest.approx(sparsity, rel=1e-5)
    assert found["outside"].item() == pytest.approx(outside, rel=1e-5)
    assert found["loss"].item() == pytest.approx(2 * tightness + 0.3 * sparsity + 0.7 * outside, rel=1e-5)
    assert baselines.cts_style.contour_losses is contour_losses


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((0, 0, 8, 5), (0, 5), (0, 8)),
        ((1.4, 2.6, 3.4, 2.7), (3, 4), (1, 3)),
        ((7.9, 4.9, 30, 30), (4, 5), (7, 8)),
        ((-3, -3, -1, -1), (0, 1), (0, 1)),
    ],
)
def test_a_box_covers_at_least_one_pixel_of_the_image(box, rows: tuple[int, int], columns: tuple[int, int]):
    found = pixels_of(box, (5, 8))
    assert ((found[0].start, found[0].stop), (found[1].start, found[1].stop)) == (rows, columns)


def test_a_window_has_background_round_the_box_and_goes_back_to_its_place():
    window = window_round((20, 10, 60, 30), (50, 100))
    assert (window.rows, window.columns) == (slice(0, 44), slice(6, 74))  # 0.35 of 40 pixels is 14
    assert window.inside.sum() == 40 * 20
    back = window.back(window.inside, (50, 100))
    assert back[10:30, 20:60].all()
    assert back.sum() == 800


def test_the_network_is_not_shown_where_the_box_lies_but_how_colours_differ_from_those_round_it():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    window = window_round((20, 10, 40, 30), (40, 60))
    shown, inside = contour_input(image, window, 16)
    assert shown.shape == (6, 16, 16)
    assert shown.dtype == np.float32
    assert shown[3:, ~inside].mean(1) == pytest.approx([0, 0, 0], abs=1e-5)
    flat = np.full((40, 60, 3), 90, np.uint8)
    assert abs(contour_input(flat, window, 16)[0][3:]).max() < 1e-5
    network = ContourNetwork(SMALL).eval()
    logits = network(torch.from_numpy(contour_input(flat, window, 16)[0][None]))
    assert logits.std() < 1e-4  # every pixel looks like every other, at the border too


def test_a_contour_map_is_zero_outside_of_its_box_and_as_large_as_its_window():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    windows = [window_round(box, (40, 60)) for box in ((20, 10, 40, 30), (0, 0, 60, 40), (5, 5, 6, 6))]
    torch.manual_seed(0)
    for one, window in zip(contour_maps(ContourNetwork(SMALL).eval(), image, windows), windows, strict=True):
        assert one.shape == window.inside.shape
        assert not one[~window.inside].any()
        assert 0 <= one.min() <= one.max() <= 1
        assert math.isfinite(one.sum())
    assert contour_maps(ContourNetwork(SMALL), image, []) == []


def test_objects_are_the_refs_of_a_split_with_their_boxes():
    split = load_split("shapes_val").first_images(5)
    things = boxed_objects(split)
    assert len(things) == len({sample.ref_id for sample in split})
    assert things[0].box == split[0].box
    assert things[0].name == f"0_{split[0].image_path.stem}"
    assert len({thing.name for thing in things}) == len(things)
