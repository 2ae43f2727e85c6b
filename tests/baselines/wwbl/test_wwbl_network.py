"""WWbL's network is the authors': layout, numbers, and what does and does not depend on the text."""

from __future__ import annotations

import pytest
import torch
from helpers.wwbls import PLACES, MultiModel, made_up
from torch import Tensor
from torch.nn.functional import normalize

from baselines.wwbl.network import WWbLConfig, WWbLNetwork, gate
from risbench import DataError

SMALL = WWbLConfig(widths=((4, 4), (6,), (8, 8)), up=5, image_size=32)


@pytest.fixture(scope="module")
def theirs() -> MultiModel:
    return made_up()


@pytest.fixture(scope="module")
def ours(theirs: MultiModel) -> WWbLNetwork:
    network = WWbLNetwork().eval()
    network.load_state_dict(theirs.state_dict())
    return network


def inputs(side: int, count: int = 2) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(count, 3, side, side), normalize(torch.randn(count, 512), dim=1)


def test_the_layout_is_the_authors():
    network = WWbLNetwork()
    state = network.state_dict()
    assert len(state) == 62
    assert sum(weight.numel() for weight in network.E.parameters()) == 7_635_264
    assert sum(weight.numel() for weight in network.D.parameters()) == 9_447_951
    trunk = {f"E.Org_model.{place}.{part}" for place in PLACES for part in ("weight", "bias")}
    assert {key for key in state if key.startswith("E.")} == trunk
    assert {key.split(".")[1] for key in state if key.startswith("D.")} == {"bottleneck", "up0", "up1"}
    assert state["D.up1.conv1.weight"].shape == (1, 512, 3, 3)
    assert state["D.up1.conv2.weight"].shape == (1, 1, 3, 3)
    assert state["D.up1.BN2.weight"].shape == (1,)


@pytest.mark.parametrize("side", [64, 76])
def test_maps_and_attention_are_those_of_an_independent_computation(theirs: MultiModel, ours: WWbLNetwork, side: int):
    images, text = inputs(side)
    with torch.inference_mode():
        expected, attention = theirs(images, text)
        observed = ours(images, text)
        gated = ours.attention(images, text)
    assert observed.shape == (2, 1, side, side)
    assert gated.shape == (2, 1, side // 8, side // 8)
    assert expected.std() > 0.02  # or the comparison would be one of flat maps
    torch.testing.assert_close(observed, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(gated, attention, atol=1e-5, rtol=0)
    assert gated.abs().max() <= 1


def test_gradients_reach_all_but_the_batchnorm_that_is_not_computed(theirs: MultiModel):
    small = WWbLNetwork(SMALL).train()
    images, text = torch.randn(2, 3, 32, 32), normalize(torch.randn(2, 8), dim=1)
    small(images, text).sum().backward()
    silent = {name for name, weight in small.named_parameters() if weight.grad is None}
    assert silent == {"D.up1.BN2.weight", "D.up1.BN2.bias"}
    assert small.D.up1.BN2.num_batches_tracked == 0
    assert small.D.up1.BN1.num_batches_tracked == 1


def test_an_image_encoded_once_gives_each_text_the_map_of_its_own_pass():
    network = WWbLNetwork(SMALL).eval()
    image, text = torch.randn(1, 3, 32, 32), normalize(torch.randn(5, 8), dim=1)
    with torch.inference_mode():
        together = network.decode(network.encode(image), text, (32, 32))
        alone = torch.cat([network(image, one[None]) for one in text])
    torch.testing.assert_close(together, alone)


def test_the_gate_is_a_cosine_without_epsilon_and_zero_where_there_is_no_feature():
    features = torch.zeros(1, 2, 1, 3)
    features[0, :, 0, 0] = torch.tensor([3e-9, 4e-9])
    features[0, :, 0, 1] = torch.tensor([30.0, 40.0])
    features.requires_grad_()
    observed = gate(features, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(observed.flatten(), torch.tensor([0.6, 0.6, 0.0]))
    observed.sum().backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_a_config_is_written_and_read_and_others_are_refused():
    assert WWbLConfig.from_json(SMALL.to_json()) == SMALL
    for text in ("{", "[]", '{"kind": "lavt"}', '{"kind": "wwbl", "widths": []}', '{"kind": "wwbl", "what": 1}'):
        with pytest.raises(DataError, match="config of a WWbL network cannot be read"):
            WWbLConfig.from_json(text)
