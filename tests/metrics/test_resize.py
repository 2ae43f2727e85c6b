import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risbench.metrics.resize import Upsampled, bilinear

_KINDS = ("normal", "relu", "steps", "zero", "constant", "negative")


def _heat(kind: str, seed: int, shape: tuple[int, int]) -> np.ndarray:
    heat = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return {
        "normal": heat,
        "relu": np.maximum(heat, 0),
        "steps": np.round(heat),
        "zero": np.zeros(shape, np.float32),
        "constant": np.full(shape, np.float32(0.3)),
        "negative": -np.abs(heat) - np.float32(1e-3),
    }[kind]


def _torch(heat: np.ndarray, size: tuple[int, int], align: bool) -> np.ndarray:
    picture = torch.from_numpy(heat)[None, None]
    return torch.nn.functional.interpolate(picture, size, mode="bilinear", align_corners=align)[0, 0].numpy()


sides = st.integers(1, 70)
out_sides = st.integers(65, 330)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(_KINDS), st.integers(0, 9999), sides, sides, out_sides, out_sides, st.booleans())
def test_every_pixel_equals_torch_bit_for_bit(kind, seed, h, w, height, width, align):
    heat = _heat(kind, seed, (h, w))
    assert np.array_equal(bilinear(heat, (height, width), align_corners=align), _torch(heat, (height, width), align))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(_KINDS), st.integers(0, 9999), sides, sides, out_sides, out_sides, st.booleans())
def test_cuts_and_extremes_equal_torch_exactly(kind, seed, h, w, height, width, align):
    heat = _heat(kind, seed, (h, w))
    expected = _torch(heat, (height, width), align)
    upsampled = Upsampled(heat, (height, width), align_corners=align)
    assert upsampled.largest() == expected.max()
    assert upsampled.first_largest() == expected.argmax()
    assert upsampled.smallest() == expected.min()
    assert upsampled.first_smallest() == expected.argmin()
    # A cut at a value that occurs is the hardest: the rounding of that very pixel decides.
    occurring = expected.reshape(-1)[seed % expected.size]
    for cut in (np.float32(0), np.float32(1e-9), np.float32(0.5), occurring):
        assert np.array_equal(upsampled.at_least(cut), expected >= cut)


@pytest.mark.parametrize("size", [(480, 640), (427, 640), (333, 500)])
def test_a_full_size_picture_equals_torch(size):
    heat = _heat("relu", 3, (320, 320))
    assert np.array_equal(bilinear(heat, size, align_corners=True), _torch(heat, size, True))


def test_a_mask_outlives_the_next_picture():
    first = Upsampled(_heat("normal", 0, (20, 20)), (100, 100), align_corners=True).at_least(np.float32(0))
    before = first.copy()
    Upsampled(_heat("normal", 1, (20, 20)), (100, 100), align_corners=True)
    assert np.array_equal(first, before)
