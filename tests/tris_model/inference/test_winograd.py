"""Winograd's convolutions give the sums of the plain ones."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from helpers.examples import examples
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tris_model.inference.fused import Conv, Kind, packs
from tris_model.inference.winograd import WinogradConv, pays, suits


@torch.inference_mode()
@examples(30)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 23), st.integers(1, 23), st.booleans())
def test_any_size_has_the_sums_of_the_plain_convolution(
    count: int, inside: int, outside: int, height: int, width: int, last: bool
) -> None:
    torch.manual_seed(count + 10 * inside + 100 * outside)
    weight, bias = torch.randn(outside, inside, 3, 3), torch.randn(outside)
    images = torch.randn(count, inside, height, width)
    images = images.contiguous(memory_format=torch.channels_last) if last else images
    expected = F.relu(F.conv2d(images.double(), weight.double(), bias.double(), padding=1))
    found = WinogradConv(weight, bias)(images)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < 1e-4 * max(float(expected.max()), 1)


@pytest.mark.skipif(not packs(), reason="torch lacks oneDNN's operators")
@torch.inference_mode()
def test_only_wide_convolutions_over_large_maps_are_computed_so() -> None:
    torch.manual_seed(0)
    for inside, side, stride, chosen in (
        (128, 16, 1, True),
        (128, 15, 1, False),
        (64, 16, 1, False),
        (128, 16, 2, False),
    ):
        plain = nn.Conv2d(inside, 128, 3, stride, padding=1)
        images = torch.randn(1, inside, side, side).contiguous(memory_format=torch.channels_last)
        conv = Conv(plain, None, relu=True, kind=Kind(True, winograd=True))
        for _ in range(2):
            torch.testing.assert_close(conv(images), F.relu(plain(images)), rtol=1e-4, atol=1e-4)
        assert (conv.winograd is not None) is chosen
        assert (suits(plain.weight, [stride] * 2, [1, 1]) and pays(images)) is chosen
