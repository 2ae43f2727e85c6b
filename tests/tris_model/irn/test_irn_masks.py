"""From a heat to a pseudo mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.irn_drawn import Disc, disc, tiny_trunk

from risbench.errors import DataError
from tris_model.irn import masks
from tris_model.irn.network import EdgeDisplacement


@pytest.fixture(scope="module")
def network() -> EdgeDisplacement:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EdgeDisplacement(tiny_trunk(), width=8).eval()


def boxes() -> tuple[np.ndarray, np.ndarray]:
    """Two closed boxes of 6 x 6 cells, and displacements to the middle of the nearer one."""
    edges = np.zeros((12, 24), np.float32)
    for left in (3, 14):
        edges[2:10, [left, left + 7]] = edges[[2, 9], left : left + 8] = 1
    y, x = np.indices((12, 24))
    middle = np.where(x < 12, 6.5, 17.5)
    return edges, np.stack([5.5 - y, middle - x]).astype(np.float32)


def test_a_heat_fills_the_object_it_lies_in() -> None:
    edges, ways = boxes()
    heat = np.zeros((48, 96), np.float32)
    heat[20:24, 20:24] = 1
    walked = masks.walk(heat, edges, ways)
    mask = walked > masks.THRESHOLD
    assert walked.max() == 1
    assert mask[14:34, 18:26].all()
    assert not mask[:, 48:].any()
    assert not mask[:8].any()
    assert 400 < mask.sum() < 1000  # 576 and what enlarging adds


def test_parts_walk_apart_and_the_mask_is_their_union() -> None:
    edges, ways = boxes()
    left, right = np.zeros((2, 48, 96), np.float32)
    left[20:28, 20:32] = 1
    right[20:28, 64:76] = 0.9
    both = masks.walk(left + right, edges, ways)
    one, other = masks.walk(left, edges, ways), masks.walk(right, edges, ways)
    union = (both > 0.25) == ((one > 0.25) | (other > 0.25))
    assert union.mean() > 0.99
    assert both[:, :40].max() == 1
    assert 0.8 < both[:, 56:].max() < 1


def test_an_all_zero_heat_is_an_empty_mask(network: EdgeDisplacement) -> None:
    image = disc(0).pixels
    assert not masks.pseudo_mask(image, np.zeros((48, 48), np.float32), network).any()
    assert not masks.pseudo_mask(image, np.full((48, 48), -1.0, np.float32), network).any()


def test_a_heat_that_no_cell_sees_is_an_empty_mask() -> None:
    heat = np.zeros((48, 96), np.float32)
    heat[1, 1] = 1  # the cells lie at multiples of 4.27 and 4.13 pixels
    assert not masks.walk(heat, *boxes()).any()


def test_a_heat_that_lies_on_edges_alone_is_an_empty_mask() -> None:
    heat = np.zeros((48, 96), np.float32)
    heat[20:24, 20:24] = 1
    assert not masks.walk(heat, np.ones((12, 24), np.float32), boxes()[1]).any()


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 4), (7, 50), (33, 48)])
def test_images_of_any_size_have_a_mask_of_that_size(network: EdgeDisplacement, size: tuple[int, int]) -> None:
    random = np.random.RandomState(0)
    image = random.randint(0, 256, (*size, 3)).astype(np.uint8)
    mask = masks.pseudo_mask(image, random.rand(*size), network)
    assert mask.shape == size
    assert mask.dtype == bool
    assert mask.any()  # the hottest pixel is above any threshold below 1


def test_the_scale_of_a_heat_does_not_matter(network: EdgeDisplacement) -> None:
    one = disc(1)
    small = masks.refine(one.pixels, one.values * np.float32(0.01), network)
    np.testing.assert_allclose(small, masks.refine(one.pixels, one.values, network), rtol=1e-3, atol=1e-5)
    assert small.min() >= 0
    assert small.max() == 1


def test_a_heat_with_nan_or_of_another_size_is_refused(network: EdgeDisplacement) -> None:
    image = disc(0).pixels
    with pytest.raises(DataError, match="NaN"):
        masks.pseudo_mask(image, np.full((48, 48), np.nan), network)
    with pytest.raises(DataError, match="like its image"):
        masks.pseudo_mask(image, np.zeros((47, 48)), network)


def test_masks_are_written_once_each(tmp_path: Path, network: EdgeDisplacement) -> None:
    items = [disc(number) for number in range(3)]
    items[1].values[:] = 0
    assert masks.write_masks(items[:2], tmp_path, network) == 2
    assert masks.write_masks(items, tmp_path, network) == 1
    assert masks.write_masks(items, tmp_path, network) == 0
    assert not masks.read_mask(tmp_path, items[1].name).any()
    for item in (items[0], items[2]):
        want = masks.pseudo_mask(item.pixels, item.values, network)
        np.testing.assert_array_equal(masks.read_mask(tmp_path, item.name), want)
    with pytest.raises(DataError, match="absent"):
        masks.read_mask(tmp_path, "absent")


def test_a_bad_item_is_named_and_the_others_stay(tmp_path: Path, network: EdgeDisplacement) -> None:
    good, bad = disc(0), disc(1)
    bad = Disc(bad.name, bad.pixels, bad.truth, bad.values * np.float32(np.nan))
    with pytest.raises(DataError, match=bad.name):
        masks.write_masks([good, bad], tmp_path, network)
    assert [path.name for path in tmp_path.iterdir()] == [f"{good.name}.png"]


def test_heats_of_one_image_get_together_what_each_gets_alone(network: EdgeDisplacement, tmp_path: Path) -> None:
    one, other = disc(0), disc(1)
    heats = np.stack([one.values, np.zeros_like(one.values), other.values])
    together = masks.refine(one.pixels, heats, network)
    for heat, walked in zip(heats, together, strict=True):
        np.testing.assert_allclose(walked, masks.refine(one.pixels, heat, network), rtol=1e-5, atol=1e-6)
    items = [Disc(f"{name}_7", one.pixels, one.truth, heat) for name, heat in zip("abc", heats, strict=True)]
    looked = []

    class Same(Disc):
        @property
        def picture(self) -> str:
            return "7"

        def image(self) -> np.ndarray:
            looked.append(self.name)
            return self.pixels

    same = [Same(item.name, item.pixels, item.truth, item.values) for item in items]
    assert masks.write_masks(same, tmp_path, network) == 3
    assert looked == ["a_7"]
    for item, walked in zip(same, together, strict=True):
        assert (masks.read_mask(tmp_path, item.name) == (walked > np.float32(masks.THRESHOLD))).mean() > 0.999
