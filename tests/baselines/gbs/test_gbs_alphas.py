"""Alphas are the authors': what is drawn, in which order, and what is made of it, written out pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from baselines.gbs import alphas
from baselines.gbs.blending import kinds
from risbench import DataError


def noise_by_hand(height: int, width: int, grid: int, draw: np.random.RandomState) -> list[list[float]]:
    """Perlin's noise, one pixel at a time."""
    angles = [[2 * math.pi * angle for angle in row] for row in draw.rand(grid + 1, grid + 1)]
    rows = []
    for row in range(height):
        line = []
        for column in range(width):
            v, u = row * grid / height, column * grid / width
            down, right = int(v + 1e-9), int(u + 1e-9)
            y, x = v - down, u - right

            def at(dy: int, dx: int, down: int = down, right: int = right, y: float = y, x: float = x) -> float:
                angle = angles[down + dy][right + dx]
                return math.cos(angle) * (y - dy) + math.sin(angle) * (x - dx)

            fade_y, fade_x = (6 * t**5 - 15 * t**4 + 10 * t**3 for t in (y, x))
            left = at(0, 0) * (1 - fade_y) + at(1, 0) * fade_y
            other = at(0, 1) * (1 - fade_y) + at(1, 1) * fade_y
            line.append(math.sqrt(2) * (left * (1 - fade_x) + other * fade_x))
        rows.append(line)
    return rows


def spread(rows: list[list[float]]) -> list[list[float]]:
    low, high = min(map(min, rows)), max(map(max, rows))
    return [[(value - low) / (high - low) for value in row] for row in rows]


@pytest.mark.parametrize("seed", range(6))
def test_perlin_alphas_are_drawn_in_the_authors_order(seed: int):
    masks = np.zeros((2, 24, 32), np.float32)
    masks[0, 2:20, 4:] = 1  # noise fills the box round the mask, and nothing outside of it
    masks[0, 10, 10] = 0
    masks[1] = 1
    found, first, second = alphas(seed, "100", masks, counts=(2, 0))
    draw = np.random.RandomState(seed + 100)
    layers = draw.randint(1, 3)
    grids = draw.choice(np.arange(2), layers) + 1
    for at, (y0, y1, x0, x1) in enumerate(((2, 20, 4, 32), (0, 24, 0, 32))):
        slope = draw.randn() / 10
        expected = np.zeros((24, 32))
        expected[y0:y1, x0:x1] = 1
        for grid in grids:
            rows = noise_by_hand(y1 - y0, x1 - x0, int(grid), draw)
            steep = [[1 - 1 / (1 + math.exp(min(max(value / slope, -100), 100))) for value in row] for row in rows]
            expected[y0:y1, x0:x1] *= np.array(spread(spread(steep)))
        # A slope of nearly 0 makes steps of what lies within rounding of 0.
        close = np.isclose(found[at, 0].numpy(), expected, atol=1e-4)
        assert close.mean() > 0.99
    assert torch.equal(first, found)
    assert torch.equal(second, 1 - found)
    assert found.shape == (2, 1, 24, 32)
    assert found.dtype == torch.float32


def test_gaussian_alphas_are_two_that_were_drawn_apart():
    found, first, second = alphas(7, 5, torch.ones(2, 64, 96), counts=(0, 2))
    draw = np.random.RandomState(12)
    for got in (first, second):
        draw.rand(1, 2, 1, 1)
        x, y = draw.randint(96, size=2), draw.randint(64, size=2)
        wide, high = draw.randint(3, 24, size=2), draw.randint(2, 16, size=2)
        for at in range(2):
            for row, column in ((0, 0), (10, 50), (63, 95), (int(y[at]), int(x[at]))):
                expected = math.exp(-(((column - x[at]) / wide[at]) ** 2 + ((row - y[at]) / high[at]) ** 2) / 2)
                assert got[at, 0, row, column].item() == pytest.approx(expected, abs=1e-6)
            assert got[at, 0, y[at], x[at]] == 1
    torch.testing.assert_close(found, first / (first + second + 1e-7))


def test_half_of_a_batch_is_perlins_and_half_of_one_is_rounded_to_the_even_number():
    assert [kinds(count) for count in range(1, 8)] == [(0, 1), (1, 1), (2, 1), (2, 2), (2, 3), (3, 3), (4, 3)]
    # The first half of the pairs of all ranks.
    assert [kinds(3, rank, 2) for rank in range(2)] == [(3, 0), (0, 3)]
    assert [kinds(2, rank, 3) for rank in range(3)] == [(2, 0), (1, 1), (0, 2)]
    perlin, first, second = alphas(1, 2, np.ones((3, 40, 40)))
    assert torch.equal(first[:2] + second[:2], torch.ones(2, 1, 40, 40))
    assert (first[2] + second[2] - 1).abs().max() > 0.1
    assert torch.equal(perlin[:2], first[:2])


def test_two_images_get_the_same_alpha_with_any_other_draws_before():
    masks = np.ones((3, 32, 32))
    one = alphas(391895, "522418", masks)
    np.random.seed(3)
    torch.manual_seed(3)
    other = alphas("391895", 522418, torch.ones(3, 32, 32))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one[0], alphas(391895, 522419, masks)[0])
    # Numbers are added as unsigned ones of 32 bits.
    assert torch.equal(alphas(2**32 - 1, 2, masks)[0], alphas(1, 0, masks)[0])


def test_what_cannot_be_blended_is_refused_in_a_line():
    for masks, words in (
        (np.ones((32, 32)), r"masks are \(B, H, W\) with sides of 8 or more pixels, not \(32, 32\)"),
        (np.ones((0, 32, 32)), "masks are"),
        (np.ones((2, 32, 7)), "masks are"),
        (np.zeros((2, 32, 32)), "a mask is empty"),
    ):
        with pytest.raises(DataError, match=words):
            alphas(1, 2, masks)
    with pytest.raises(DataError, match=r"these are 'a\.jpg' and 2"):
        alphas("a.jpg", 2, np.ones((1, 32, 32)))


def test_noise_without_a_difference_is_no_number_that_is_none():
    found, _, _ = alphas(1, 2, np.pad(np.ones((2, 1, 1)), ((0, 0), (3, 6), (3, 6))), counts=(2, 0))
    assert torch.isfinite(found).all()
