"""LAVT's network against a second one that goes patch by patch, and against what the facts say of the whole size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from helpers.lavt_by_hand import ByHand
from helpers.lavts import SMALL, lavt
from torch import Tensor

from baselines.lavt import loss
from baselines.lavt.network import Lavt, drawn_lavt
from baselines.lavt.sizes import LavtSizes
from baselines.lavt.swin import relative_places, shift_penalty

IDS = torch.tensor([[2, 5, 6, 7, 3, 0, 0, 0], [2, 12, 13, 3, 0, 0, 0, 0]])
MASK = (IDS > 0).long()


def numbers(network: Lavt) -> Mapping[str, np.ndarray]:
    return {key: value.numpy() for key, value in network.state_dict().items()}


# 36 x 36 begins with whole windows. 30 x 37 has no whole patches, and odd maps. The later maps of both are one window.
@pytest.mark.parametrize("size", [(36, 36), (30, 37)])
def test_maps_and_logits_are_those_of_a_second_network_that_goes_patch_by_patch(size: tuple[int, int]):
    network = lavt()
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        words = network.text_encoder(IDS, MASK)
        maps, logits = network.features(images, IDS, MASK), network(images, IDS, MASK)
    hand = ByHand(numbers(network), SMALL.depths, SMALL.heads, SMALL.window)
    for at in range(2):
        expected = hand.maps(images[at].double().numpy(), words[at].double().numpy(), MASK[at].double().numpy())
        for observed, one in zip(maps, expected, strict=True):
            close(observed[at], one)
        close(logits[at], hand.logits(expected, size))


def close(observed: Tensor, expected: np.ndarray) -> None:
    assert observed.shape == expected.shape
    assert np.abs(observed.numpy() - expected).max() < 1e-4 * np.ptp(expected)


def test_the_authors_sizes_have_the_authors_keys():
    with torch.device("meta"):
        network = Lavt(LavtSizes())
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    own = [key for key in shapes if not key.startswith("text_encoder.")]
    assert len(own) == 451
    assert sum(key.startswith("backbone.") for key in own) == 413
    assert sum(key.endswith("relative_position_index") for key in own) == 24
    assert len(shapes) - len(own) == 197
    count = {part: sum(p.numel() for p in network.get_submodule(part).parameters()) for part in ("text_encoder", "")}
    assert round(count["text_encoder"] / 1e6, 2) == 108.89
    assert round((count[""] - count["text_encoder"]) / 1e6, 2) == 118.85
    assert shapes["backbone.layers.2.blocks.17.attn.relative_position_index"] == (144, 144)
    assert shapes["backbone.layers.3.fusion.image_lang_att.f_key.0.weight"] == (1024, 768, 1)
    assert shapes["backbone.layers.3.res_gate.2.weight"] == (1024, 1024)
    assert shapes["classifier.conv1_4.weight"] == (512, 1536, 3, 3)
    assert shapes["classifier.conv1_2.weight"] == (512, 640, 3, 3)
    assert shapes["text_encoder.encoder.layer.11.attention.output.LayerNorm.bias"] == (768,)


def test_relative_places_are_the_querys_less_the_keys():
    places = relative_places(12)
    assert places.shape == (144, 144)
    assert places[0, 0] == 11 * 23 + 11
    assert places[13, 0] == 12 * 23 + 12  # a query one down and one to the right of the key
    assert places[0, 143] == 0


def test_a_shifted_map_of_one_window_falls_into_four_regions():
    penalty = shift_penalty((4, 4), 4, 2, torch.zeros(()))
    assert penalty.shape == (1, 16, 16)
    assert (penalty[0] == 0).sum() == 16 * 4
    assert set(penalty.unique().tolist()) == {-100.0, 0.0}


def test_the_gate_of_the_last_stage_and_padding_words_change_nothing():
    network = lavt()
    images = torch.randn(2, 3, 36, 36)
    with torch.no_grad():
        before = network(images, IDS, MASK)
        network.backbone.layers[3].res_gate[0].weight.fill_(9.0)  # type: ignore[index, union-attr]
        longer = torch.cat([IDS, torch.zeros(2, 4, dtype=torch.int64)], 1)
        after = network(images, longer, torch.cat([MASK, torch.zeros(2, 4, dtype=torch.int64)], 1).bool())
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_expressions_share_what_comes_before_the_words():
    network = lavt()
    image = torch.randn(1, 3, 36, 36)
    with torch.no_grad():
        patches = network.before_words(image).expand(2, -1, -1, -1)
        together = network.logits(patches, IDS, MASK, (36, 36))
        alone = torch.cat([network(image, IDS[at : at + 1], MASK[at : at + 1]) for at in range(2)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-2


def test_the_loss_is_the_mean_weighted_by_class():
    logits = torch.tensor([[[[0.0, 2.0]], [[1.0, -1.0]]]])  # one row of two pixels
    masks = torch.tensor([[[True, False]]])
    hard = np.log1p(np.exp(-1.0)), np.log1p(np.exp(-3.0))
    expected = (1.1 * hard[0] + 0.9 * hard[1]) / (1.1 + 0.9)
    assert loss(logits, masks).item() == pytest.approx(expected, rel=1e-6)
    assert loss(logits, masks.float()).item() == pytest.approx(expected, rel=1e-6)


def test_bert_learns_without_dropout_in_lavt_and_with_it_in_lavt_one():
    for one in (False, True):
        network = drawn_lavt(LavtSizes(embed=8, depths=(1, 1, 1, 1), heads=(1, 1, 1, 1), one=one, bert=SMALL.bert))
        assert network.train().training
        assert network.text_encoder.training is one
        assert network.backbone.training
        assert not network.eval().text_encoder.training


def test_stochastic_depth_rises_from_zero_and_keeps_the_mean():
    with torch.device("meta"):
        rates = [block.drop_path for stage in Lavt(LavtSizes()).backbone.layers for block in stage.blocks]  # type: ignore[union-attr]
    assert rates == pytest.approx([0.3 * at / 23 for at in range(24)])
    torch.manual_seed(0)
    block = lavt().backbone.layers[0].blocks[1]  # type: ignore[union-attr, index]
    block.drop_path = 0.25
    dropped = block.train()._dropped(torch.ones(4000, 1, 1, 1)).flatten()
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)
