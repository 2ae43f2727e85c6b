"""A fused network gives the same outputs as the original one."""

from __future__ import annotations

import copy

import pytest
import torch
from helpers.rows_through import texts
from helpers.weight_recipe import images, token_rows

from tris_model.inference.fused import fuse_for_inference, packs
from tris_model.inference.half import HalfClip
from tris_model.inference.prepared import prepared
from tris_model.inference.winograd import WinogradConv
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
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_full_size_network_prepared_for_a_cpu_gives_its_maps(stage1: Stage1, precision: str) -> None:
    picture, rows = images()[:1], token_rows()
    expected = stage1.respond(picture, rows)
    ready = prepared(copy.deepcopy(stage1), precision, torch.device("cpu"))
    got = ready.respond(picture, rows)
    tolerance = {"float32": 1e-4, "bf16": 0.1}[precision]
    assert got.dtype == torch.float32
    assert float((got - expected).abs().max()) < tolerance * float(expected.abs().max())
    used = [module for module in ready.modules() if isinstance(module, WinogradConv)]
    assert bool(used) == (precision == "float32" and packs())


@torch.inference_mode()
def test_pairs_of_many_images_have_the_maps_of_each_image(small2: Stage2) -> None:
    pictures, rows = torch.randn(3, 3, 64, 64), texts(7)
    features, words = small2.encode_image(pictures), small2.encode_text(rows)
    owners = torch.tensor([2, 0, 0, 1, 2, 2, 0])
    found = small2.compare_pairs(features, owners, words, batch=3)
    whole = small2.compare(features, words)
    for place, owner in enumerate(owners.tolist()):
        torch.testing.assert_close(found[place], whole[owner, place], rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_bfloat16_towers_return_float32(small: Stage1) -> None:
    picture, rows = torch.randn(1, 3, 64, 64), texts(3)
    expected = small.respond(picture, rows)
    half = fuse_for_inference(copy.deepcopy(small), pack=False)
    half.backbone = HalfClip(half.backbone)  # pyright: ignore
    got = half.respond(picture, rows)
    assert got.dtype == torch.float32
    assert 0 < float((got - expected).abs().max()) < 0.1 * float(expected.abs().max())
