"""A fused network gives the same outputs as the original one."""

from __future__ import annotations

import copy

import pytest
import torch
from helpers.rows_through import texts
from helpers.weight_recipe import images, token_rows

from tris_model.inference.fused import fuse_for_inference, packs
from tris_model.inference.half import HalfClip
from tris_model.network.stage1 import Stage1
from tris_model.network.stage2 import Stage2

PACKS = [False, pytest.param(True, marks=pytest.mark.skipif(not packs(), reason="torch lacks oneDNN's operators"))]


@torch.inference_mode()
@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("stage", [1, 2])
def test_folding_and_packing_stay_within_a_ten_thousandth(
    stage: int, pack: bool, request: pytest.FixtureRequest
) -> None:
    network = request.getfixturevalue("stage1" if stage == 1 else "stage2")
    picture, rows = images()[:1, :, :160, :160], token_rows()
    expected = network.heat(network.respond(picture, rows))
    quick = fuse_for_inference(copy.deepcopy(network), pack=pack)
    got = quick.heat(quick.respond(picture, rows))
    assert float((got - expected).abs().max()) < 1e-4 * float(expected.abs().max())


@torch.inference_mode()
@pytest.mark.parametrize("pack", PACKS)
def test_small_networks_are_quickened_alike(small: Stage1, small2: Stage2, pack: bool) -> None:
    for network in (small, small2):
        picture, rows = torch.randn(2, 3, 64, 64), texts(5)
        expected = network.respond(picture, rows)
        got = fuse_for_inference(copy.deepcopy(network), pack=pack).respond(picture, rows)
        assert float((got - expected).abs().max()) < 1e-4 * float(expected.abs().max())


@torch.inference_mode()
def test_bfloat16_towers_return_float32(small: Stage1) -> None:
    picture, rows = torch.randn(1, 3, 64, 64), texts(3)
    expected = small.respond(picture, rows)
    half = fuse_for_inference(copy.deepcopy(small), pack=False)
    half.backbone = HalfClip(half.backbone)  # pyright: ignore
    got = half.respond(picture, rows)
    assert got.dtype == torch.float32
    assert 0 < float((got - expected).abs().max()) < 0.1 * float(expected.abs().max())
