"""GbS's network is the authors': layout, both maps, and what does and does not depend on the text."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers.gbss import SMALL, cells_by_hand, gbs, levels_by_hand, lookup_by_hand, map_by_hand
from torch import Tensor

from baselines.gbs.config import GbsConfig
from baselines.gbs.network import GbsNetwork
from risbench import DataError


@pytest.fixture(scope="module")
def net() -> GbsNetwork:
    return gbs().image_model


def inputs(count: int = 2, height: int = 70, width: int = 101) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(count, 3, height, width), torch.randn(count, 64)


def test_the_layout_is_the_authors():
    with torch.device("meta"):
        state = GbsNetwork().state_dict()
    assert len(state) == 234
    assert sum(value.numel() for value in state.values()) == 48_438_626
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    assert shapes["backbone.layers.0.weight"] == (64, 3, 3, 3)
    assert shapes["backbone.layers.40.weight"] == (512, 512, 3, 3)
    assert shapes["pre_cond.0.conv0.weight"] == (512, 64, 3, 3)
    assert shapes["pre_cond_up.0.conv0.weight"] == (512, 512, 3, 3)
    assert shapes["conditions.1.cap_fc.weight"] == shapes["no_conditions.0.cap_fc.weight"] == (512, 768)
    assert shapes["decoder_blocks.0.conv1.weight"] == (512, 512, 1, 1)
    assert shapes["last_conv.weight"] == (1, 1024, 3, 3)
    assert shapes["scale_conv.weight"] == (768, 512, 1, 1)
    unbiased = ("conv0.bias", "conv1.bias", "conv2.bias", "conv3.bias", "last_conv.bias", "scale_conv.bias")
    assert not any(key.endswith(unbiased) for key in state)


@torch.no_grad()
def test_maps_are_those_of_a_forward_pass_by_hand(net: GbsNetwork):
    images, text = inputs()
    state, levels = net.state_dict(), net.encode(images)
    expected = levels_by_hand(state, images)
    assert [tuple(level.shape[1:]) for level in levels] == [
        (3, 70, 101), (4, 35, 50), (6, 17, 25), (8, 8, 12), (10, 4, 6), (12, 2, 3),
    ]  # fmt: skip
    for one, other in zip(levels, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(net(images, text), map_by_hand(state, expected, text), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        net.decode_without_text(levels), map_by_hand(state, expected, None), atol=1e-5, rtol=1e-4
    )
    assert net(images, text).shape == (2, 1, 4, 6)


@torch.no_grad()
def test_the_map_of_words_is_the_sum_of_each_words_best_level(net: GbsNetwork):
    images, _ = inputs()
    words = torch.randn(2, 6, 64)
    mask = torch.tensor([[1, 0, 0, 0, 1, 2], [1, 0, 1, 2, 2, 2]])
    found = net.words_map(images, words, mask)
    assert found.shape == (2, 1, 32, 32)
    cells = cells_by_hand(net.state_dict(), levels_by_hand(net.state_dict(), images))
    for at in range(2):
        unit = [word / word.norm() for word, kind in zip(words[at], mask[at], strict=True) if kind == 0]
        looked = [lookup_by_hand([level[at] for level in cells], word) for word in unit]
        total = sum(score for score, _ in looked) + 1e-6
        expected = sum(score / total * heat for score, heat in looked)
        torch.testing.assert_close(found[at, 0], expected.clamp(0, 1), atol=1e-5, rtol=1e-4)  # type: ignore[union-attr]
    # What stands at special tokens and padding changes nothing.
    torch.testing.assert_close(found, net.words_map(images, words + 5 * mask[..., None], mask))


@torch.no_grad()
def test_a_text_without_words_lets_nothing_pass(net: GbsNetwork):
    images, text = inputs()
    nothing = [torch.zeros_like(level) for level in net.encode(images)]
    empty = net(images, torch.zeros_like(text))
    torch.testing.assert_close(empty, map_by_hand(net.state_dict(), nothing, text), atol=1e-5, rtol=1e-4)
    # Beside a text of another image, too.
    mixed = net(images, torch.stack([torch.zeros(64), text[1]]))
    torch.testing.assert_close(mixed[:1], empty[:1])
    mask = torch.tensor([[1, 1, 2]])
    assert net.words_map(images[:1], torch.randn(1, 3, 64), mask).abs().max() == 0


@torch.no_grad()
def test_an_image_is_encoded_once_for_all_its_texts(net: GbsNetwork):
    images, _ = inputs(1)
    text = torch.randn(5, 64)
    together = net.decode(net.encode(images), text)
    for at in range(5):
        torch.testing.assert_close(together[at : at + 1], net(images, text[at : at + 1]), atol=1e-6, rtol=1e-5)


def test_a_decoder_of_two_blocks_goes_up_two_levels():
    deep = GbsNetwork(replace(SMALL, decoder=(9, 5))).eval()
    assert deep(*inputs()).shape == (2, 1, 8, 12)
    assert deep.decoder_blocks[1].conv0.weight.shape[:2] == (5, 9 + 10)
    assert deep.last_conv.weight.shape[:2] == (1, 5 + 8)
    assert deep.config.stride == 8


def test_a_config_survives_its_json_and_another_is_refused():
    assert GbsConfig.from_json(SMALL.to_json(), "a file") == SMALL
    for wrong in ("", "{}", '{"kind": "gbs", "x": 1}', SMALL.to_json().replace("[4, 3]", "[4]"),
                  SMALL.to_json().replace('"bottleneck": 7', '"bottleneck": 0')):  # fmt: skip
        with pytest.raises(DataError, match="a file: the config of a GbS network cannot be read"):
            GbsConfig.from_json(wrong, "a file")
