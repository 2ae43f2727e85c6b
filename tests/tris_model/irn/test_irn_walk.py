"""The walk: sparse against dense, what it keeps, and what it never crosses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.examples import examples
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from risbench.errors import DataError
from tris_model.irn.walk import Walk, _by_torch, spread, transition


def dense(edges: np.ndarray, radius: int = 5, power: int = 10) -> np.ndarray:
    """The authors' way in float64: all pairs of the padded map, cropped, normalised by columns."""
    height, width = edges.shape
    padded = np.pad(edges.astype(np.float64), radius, constant_values=1.0)
    count = height * width
    affinity = np.eye(count)
    for y in range(height):
        for x in range(width):
            for down in range(radius):
                for right in range(1 - radius, radius):
                    far = down * down + right * right
                    inside = 0 <= x + right < width and y + down < height
                    if not inside or not 0 < far < radius * radius or (down == 0 and right < 0):
                        continue
                    highest = max(
                        padded[y + radius + i, x + radius + j]
                        for i in range(down + 1)
                        for j in range(min(0, right), max(0, right) + 1)
                        if (down * j - right * i) ** 2 / far < 1
                    )
                    a, b = y * width + x, (y + down) * width + x + right
                    affinity[a, b] = affinity[b, a] = (1 - highest) ** power
    return affinity / affinity.sum(0, keepdims=True)


def squared(matrix: np.ndarray, times: int = 8) -> np.ndarray:
    for _ in range(times):
        matrix = matrix @ matrix
    return matrix


def soft(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    edges = ndimage.gaussian_filter(np.random.RandomState(seed).rand(*size), 1)
    return ((edges - edges.min()) / (edges.max() - edges.min())).astype(np.float32)


def blob(size: tuple[int, int]) -> np.ndarray:
    heat = np.zeros((2, *size), np.float32)
    heat[0, 3:8, 4:9] = 1
    heat[1, 1:4, 10:14] = 0.3
    return heat


@pytest.mark.parametrize("size", [(14, 18), (3, 25), (24, 17)])
def test_256_sparse_products_are_eight_squarings_of_all_pairs(size: tuple[int, int]) -> None:
    edges, heats = soft(size), blob(size)
    want = (heats * (1 - edges)).reshape(2, -1) @ squared(dense(edges))
    found = spread(heats, edges).reshape(2, -1)
    for one, other in zip(found, want, strict=True):
        assert np.abs(one - other).max() <= 3e-4 * other.max()
        assert (np.abs(one - other) <= 1e-3 * other + 1e-7 * other.max()).all()


def test_one_step_is_the_authors_matrix() -> None:
    edges = soft((6, 9))
    np.testing.assert_allclose(transition(edges).toarray(), dense(edges).T, atol=1e-6)


def test_torch_walks_as_scipy_does() -> None:
    edges, heats = soft((14, 18)), blob((14, 18))
    start = np.ascontiguousarray((heats * (1 - edges)).reshape(2, -1).T)
    found = _by_torch(transition(edges), start, 256, torch.device("cpu")).T.reshape(heats.shape)
    np.testing.assert_allclose(found, spread(heats, edges), rtol=1e-4, atol=1e-7)


def test_heat_does_not_cross_a_closed_edge() -> None:
    edges = np.zeros((20, 20), np.float32)
    edges[5:15, [5, 14]] = edges[[5, 14], 5:15] = 1
    heat = np.zeros((1, 20, 20), np.float32)
    heat[0, 7, 7] = 1
    walked = spread(heat, edges)[0]
    outside = np.ones((20, 20), bool)
    outside[6:14, 6:14] = False
    assert walked[outside].max() == 0
    np.testing.assert_allclose(walked[6:14, 6:14], walked[7, 7], rtol=1e-3)  # and fills what it is in


def test_without_edges_a_warm_map_stays_as_it_is() -> None:
    walked = spread(np.full((1, 9, 12), 0.7, np.float32), np.zeros((9, 12), np.float32))
    np.testing.assert_allclose(walked, 0.7, rtol=1e-4)


@examples(25)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 5))
def test_a_walk_never_gets_hotter_and_each_heat_walks_alone(height: int, width: int, seed: int) -> None:
    random = np.random.RandomState(seed)
    edges = random.rand(height, width).astype(np.float32)
    heats = random.rand(3, height, width).astype(np.float32)
    heats[1] = 0
    few = Walk(steps=10)
    walked = spread(heats, edges, few)
    assert walked.min() >= 0
    assert (walked.max((1, 2)) <= heats.max((1, 2)) + 1e-6).all()
    assert not walked[1].any()
    np.testing.assert_allclose(walked[2:], spread(heats[2:], edges, few), rtol=1e-5)
    np.testing.assert_allclose(transition(edges).sum(1), 1, rtol=1e-5)


def test_many_heats_walk_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    heats = np.random.RandomState(0).rand(7, 5, 6).astype(np.float32)
    whole = spread(heats, soft((5, 6)))
    monkeypatch.setattr("tris_model.irn.walk.AT_ONCE", 2)
    np.testing.assert_allclose(spread(heats, soft((5, 6))), whole, rtol=1e-5)


def test_no_heat_at_all_is_no_fault() -> None:
    assert spread(np.zeros((0, 4, 5), np.float32), np.zeros((4, 5), np.float32)).shape == (0, 4, 5)
    assert not spread(np.zeros((2, 4, 5), np.float32), np.zeros((4, 5), np.float32)).any()
    assert spread(np.ones((1, 1, 1), np.float32), np.full((1, 1), 0.5, np.float32)).item() == 0.5


def test_what_cannot_be_walked_on_is_refused() -> None:
    flat = np.zeros((4, 5), np.float32)
    for edges in (flat + np.nan, flat + 1.5, flat - 0.1):
        with pytest.raises(DataError, match="edges"):
            spread(np.ones((1, 4, 5), np.float32), edges)
    with pytest.raises(DataError, match="heats"):
        spread(np.full((1, 4, 5), np.nan, np.float32), flat)
    with pytest.raises(DataError, match="heats"):
        spread(np.ones((1, 4, 6), np.float32), flat)
