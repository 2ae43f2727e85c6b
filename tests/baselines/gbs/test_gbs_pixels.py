"""Images as the network gets them, and the heat of two maps, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from baselines.gbs import fuse, prepare
from risbench import DataError


@pytest.mark.parametrize(
    ("size", "expected"), [((300, 451), (512, 769)), ((451, 300), (769, 512)), ((480, 640), (512, 682)),
                           ((512, 512), (512, 512)), ((1, 1), (512, 512))],
)  # fmt: skip
def test_the_shorter_side_becomes_512_and_the_longer_one_is_rounded_down(size, expected):
    assert prepare(np.zeros((*size, 3), np.uint8)).shape == (3, *expected)


def test_channels_are_blue_green_red_each_by_its_own_mean_and_deviation():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    found = prepare(image, 64)
    resized = np.asarray(Image.fromarray(image).resize((96, 64), Image.Resampling.BILINEAR)) / 255
    for channel, (colour, mean, deviation) in enumerate(((2, 0.406, 0.225), (1, 0.456, 0.224), (0, 0.485, 0.229))):
        np.testing.assert_allclose(found[channel], (resized[:, :, colour] - mean) / deviation, atol=1e-5)
    assert found.dtype == torch.float32
    assert prepare(image, 64, square=True).shape == (3, 64, 64)


def test_very_long_images_have_an_end_and_no_side_is_shorter_than_a_cell_of_the_deepest_level():
    assert prepare(np.zeros((16, 5000, 3), np.uint8), 64).shape == (3, 32, 256)
    assert prepare(np.zeros((5000, 1250, 3), np.uint8), 64).shape == (3, 256, 64)


def test_what_is_no_image_is_refused():
    for image in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(DataError, match="image"):
            prepare(image)


def test_the_heat_is_the_root_of_the_product_with_borders_of_four_and_three():
    torch.manual_seed(0)
    raw, words = torch.randn(32, 48) + 0.5, torch.rand(32, 32)
    found = fuse(raw, words)
    for row in range(32):
        for column in range(48):
            inside = 4 <= row < 29 and 4 <= column < 45
            # Nearest neighbours: 48 columns of 32.
            product = min(max(raw[row, column].item(), 0), 1) * words[row, column * 32 // 48].item()
            assert found[row, column].item() == pytest.approx(math.sqrt(product) if inside else 0, abs=1e-6)
    assert torch.equal(fuse(raw.numpy(), words.numpy()), found)
    several = fuse(torch.stack([raw, raw]), torch.stack([words, words]))
    assert torch.equal(several[1], found)


def test_without_words_the_heat_is_the_cut_map_and_a_short_side_keeps_its_cells():
    raw = torch.tensor([[-1.0, 0.3, 2.0] * 4] * 2)
    found = fuse(raw)
    assert found[:, 4:9].tolist() == raw.clamp(0, 1)[:, 4:9].tolist()
    assert found[:, :4].abs().max() == found[:, 9:].abs().max() == 0
    assert torch.equal(fuse(raw, border=(0, 0)), raw.clamp(0, 1))
