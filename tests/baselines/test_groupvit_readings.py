"""The authors' rule and the sizes of images, by hand and against another computation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.groupvit.competitors import parsed
from baselines.groupvit.features import assigned, chained, fitted
from baselines.groupvit.readings import affinity, competing, named, raw
from risbench import UsageError


@pytest.mark.parametrize(
    ("size", "fit"),
    [
        ((480, 640), (448, 592)),  # 597 is rounded to patches
        ((448, 448), (448, 448)),
        ((100, 100), (448, 448)),
        ((1, 1), (448, 448)),
        ((1000, 500), (896, 448)),
        ((16, 5000), (16, 2048)),
        ((5000, 16), (2048, 16)),
        ((300, 3000), (208, 2048)),
    ],
)
def test_the_short_side_is_448_and_the_long_one_at_most_2048(size: tuple[int, int], fit: tuple[int, int]):
    assert fitted(size, 448, 16) == fit


def test_groupings_are_chained():
    first = torch.tensor([[[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]])  # three patches in two groups
    second = torch.tensor([[[0.25, 1.0], [0.75, 0.0]]])  # two groups in two
    assert chained([first, second]).tolist() == [[0.25, 0.625, 1.0], [0.75, 0.375, 0.0]]


def test_a_pixel_belongs_to_the_largest_map_and_of_equals_to_the_first():
    maps = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 0.0]]])
    # half-pixel centres: 1, 0.75, 0.25, 0 from left to right
    assert assigned(maps, (2, 4)).tolist() == [[0, 0, 1, 1]] * 2


def _authors(groups: np.ndarray, whole: np.ndarray, scale: float, hard: np.ndarray, top: int, limit: float):
    """The rule again, pixel by pixel and without a shortcut: the text of every pixel, -1 for background."""
    scale = min(scale, 100.0)

    def softmax(row: np.ndarray) -> np.ndarray:
        powers = np.exp(row - row.max())
        return powers / powers.sum()

    best = {0, *[int(one) + 1 for one in np.argsort(-whole[1:], kind="stable")[: min(top, len(whole)) - 1]]}
    affinities = np.zeros_like(groups)
    for at, row in enumerate(groups * scale):
        kept = np.array([value if one in best else -np.inf for one, value in enumerate(row)])
        affinities[at] = softmax(kept) * softmax(row)
    pixels = affinities[hard]
    found = pixels.argmax(-1)
    found[pixels.max(-1) < min(limit, affinities.max())] = -1
    return affinities, found


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 7), st.sampled_from([5.0, 30.0, 500.0]))
def test_the_authors_rule_is_that_of_an_independent_program(seed: int, texts: int, top: int, scale: float):
    draw = np.random.default_rng(seed)
    groups, whole = draw.uniform(-1, 1, (6, texts)), draw.uniform(-1, 1, texts)
    hard = draw.integers(0, 6, (5, 7))
    limit = float(draw.uniform(0, 1))
    affinities, found = _authors(groups, whole, scale, hard, top, limit)
    ours = affinity(torch.from_numpy(groups), torch.from_numpy(whole), scale, top)
    np.testing.assert_allclose(ours.numpy(), affinities, atol=1e-12)
    assert np.array_equal(named(ours, limit)[hard].numpy(), found)
    reading = competing(torch.from_numpy(groups), torch.from_numpy(whole), scale, top=top, background=limit)
    assert np.array_equal(reading.chosen[0][hard].numpy(), found == 0)
    np.testing.assert_allclose(reading.weights[0].numpy(), affinities[:, 0], atol=1e-12)


def test_background_is_below_the_limit_or_below_the_best_where_none_reaches_it():
    affinities = torch.tensor([[0.9, 0.0], [0.0, 0.5], [0.96, 0.1]])
    assert named(affinities, 0.95).tolist() == [-1, -1, 0]
    assert named(affinities[:2], 0.95).tolist() == [0, -1]
    assert named(affinities[:2], 0.4).tolist() == [0, 1]


def test_the_expression_may_win_even_if_the_image_suggests_others():
    groups = torch.tensor([[0.5, 0.4, 0.4]])
    assert affinity(groups, torch.tensor([-1.0, 0.9, 0.8]), 30.0, 2)[0, 0] > 0.8
    assert affinity(groups, torch.tensor([-1.0, 0.9, 0.8]), 30.0, 2)[0, 2] == 0


def test_groups_that_are_alike_are_chosen_alike_whatever_the_noise():
    held = torch.ones(3, dtype=torch.bool)
    for noise in (-2e-7, 0.0, 2e-7):
        assert raw(torch.tensor([[0.1, 0.5, 0.5 + noise]]), held).chosen.tolist() == [[False, True, False]]


def test_what_an_expression_names_itself_does_not_compete_with_it():
    shapes = parsed("shapes")
    assert "circle" not in shapes.against("two circles left of the star")
    assert "star" not in shapes.against("two circles left of the star")
    assert len(shapes.against("thing on the left")) == 8
    coco = parsed("coco, sky , grass,sky")
    assert coco.words[-2:] == ("sky", "grass")
    assert "person" not in coco.against("the guy in blue")
    assert "sky" not in coco.against("blue Sky above")
    assert "sky" in coco.against("skyline")
    assert parsed("siblings").words == ()
    with pytest.raises(UsageError, match="competitors is empty"):
        parsed(",")
