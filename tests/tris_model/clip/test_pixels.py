"""Images come out as torchvision's transforms make them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from risbench.errors import DataError
from tris_model import preprocess

DRAW = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(427, 640), (33, 700), (1, 1), (320, 320)])
def test_pixels_are_torchvisions(size: tuple[int, int]) -> None:
    image = DRAW.integers(0, 256, (*size, 3), dtype=np.uint8)
    chain = transforms.Compose([
        transforms.Resize((320, 320)),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ])  # fmt: skip
    expected = chain(Image.fromarray(image))
    assert torch.equal(preprocess(image), expected)
    assert torch.equal(preprocess(Image.fromarray(image)), expected)


def test_another_size_is_obeyed_and_views_are_read() -> None:
    image = DRAW.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    assert preprocess(image, 64).shape == (3, 64, 64)
    assert torch.equal(preprocess(image[:, ::-1], 64), preprocess(image[:, ::-1].copy(), 64))


def test_grey_and_transparent_pictures_become_rgb() -> None:
    for mode in ("L", "RGBA", "P", "CMYK"):
        assert preprocess(Image.new(mode, (50, 40)), 32).shape == (3, 32, 32)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        "x",
    ],
)
def test_what_is_no_image_is_refused_by_name(image: object) -> None:
    with pytest.raises(DataError, match="image"):
        preprocess(image)  # pyright: ignore
