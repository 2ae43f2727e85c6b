"""The edge and displacement network: shapes, what is frozen, and what is kept in its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.irn_drawn import tiny_trunk

from risbench.errors import DataError, UsageError
from tris_model.files.checkpoint import write
from tris_model.irn.network import EdgeDisplacement, load, save
from tris_model.irn.trunks import FiveDepthResNet, fingerprint


@pytest.fixture(scope="module")
def resnet() -> FiveDepthResNet:
    return FiveDepthResNet(None)


def test_the_papers_heads_have_the_papers_sizes(resnet: FiveDepthResNet) -> None:
    shapes = {key: tuple(value.shape) for key, value in EdgeDisplacement(resnet).heads().items()}
    assert shapes.pop("mean_shift.running_mean") == (2,)
    assert shapes.pop("fc_edge6.weight") == (1, 160, 1, 1)
    assert shapes.pop("fc_edge6.bias") == (1,)
    for index, inside in enumerate((64, 256, 512, 1024, 2048), start=1):
        assert shapes.pop(f"fc_edge{index}.0.weight") == (32, inside, 1, 1)
        assert shapes.pop(f"fc_edge{index}.1.weight") == shapes.pop(f"fc_edge{index}.1.bias") == (32,)
    rows = ((64, 64), (256, 128), (512, 256), (1024, 256), (2048, 256), (768, 256), (448, 256))
    for index, (inside, outside) in enumerate(rows, start=1):
        assert shapes.pop(f"fc_dp{index}.0.weight") == (outside, inside, 1, 1)
        assert shapes.pop(f"fc_dp{index}.1.weight") == shapes.pop(f"fc_dp{index}.1.bias") == (outside,)
    assert shapes.pop("fc_dp7.3.weight") == (2, 256, 1, 1)
    assert not shapes


def test_groups_are_the_papers(resnet: FiveDepthResNet) -> None:
    network = EdgeDisplacement(resnet)
    groups = {
        name: module.num_groups for name, module in network.named_modules() if isinstance(module, torch.nn.GroupNorm)
    }
    assert groups.pop("fc_dp1.1") == 8
    assert {groups.pop(f"fc_dp{index}.1") for index in range(2, 8)} == {16}
    assert set(groups.values()) == {4}


@torch.no_grad()
def test_the_last_stride_of_resnet_is_taken_out(resnet: FiveDepthResNet) -> None:
    shapes = [tuple(feature.shape[1:]) for feature in resnet.eval()(torch.zeros(1, 3, 64, 96))]
    assert shapes == [(64, 16, 24), (256, 16, 24), (512, 8, 12), (1024, 4, 6), (2048, 4, 6)]
    assert resnet.resnet.layer4[1].conv2.dilation == (1, 1)  # pyright: ignore


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (61, 83), (5, 3), (1, 1)])
def test_maps_have_a_cell_for_each_begun_four_pixels(resnet: FiveDepthResNet, size: tuple[int, int]) -> None:
    want = (-(-size[0] // 4), -(-size[1] // 4))
    for trunk in (resnet, tiny_trunk(8), tiny_trunk(16), tiny_trunk(32)):
        network = EdgeDisplacement(trunk, width=16).eval()
        edges, displacements = network(torch.randn(2, 3, *size))
        assert edges.shape == (2, 1, *want)
        assert displacements.shape == (2, 2, *want)
        straight, moved = network.analyse(torch.randn(3, *size))
        assert straight.shape == want
        assert moved.shape == (2, *want)
        assert 0 <= straight.min() <= straight.max() <= 1


def test_a_clip_trunk_tells_its_own_channels_and_strides() -> None:
    trunk = tiny_trunk(8)
    assert trunk.channels == (8, 32, 64, 128, 256)
    assert (trunk.strides, trunk.multiple) == ((4, 4, 8, 8, 8), 8)
    assert tiny_trunk(32).strides == (4, 4, 8, 16, 32)
    images = torch.randn(1, 3, 64, 64)
    for own, other in zip(trunk.eval()(images)[1:], trunk.trunk(images), strict=True):
        torch.testing.assert_close(own, other)


def test_the_trunk_is_frozen_and_its_statistics_stay() -> None:
    trunk = tiny_trunk()
    before = fingerprint(trunk)
    network = EdgeDisplacement(trunk, width=8).train()
    assert not trunk.training
    assert not any(weight.requires_grad for weight in trunk.parameters())
    edges, displacements = network(torch.randn(2, 3, 32, 32))
    (edges.sum() + displacements.abs().sum()).backward()
    assert all(weight.grad is None for weight in trunk.parameters())
    assert fingerprint(trunk) == before
    others = [value for name, value in network.named_parameters() if not name.startswith("trunk.")]
    assert all(weight.grad is not None for weight in others)


@torch.no_grad()
def test_the_mean_displacement_is_taken_away_in_eval_alone() -> None:
    network = EdgeDisplacement(tiny_trunk(), width=8)
    images = torch.randn(1, 3, 32, 32)
    network.mean_shift.running_mean.copy_(torch.tensor([1.0, -2.0]))
    raw, shifted = network.train()(images).displacements, network.eval()(images).displacements
    torch.testing.assert_close(raw - shifted, torch.tensor([1.0, -2.0])[None, :, None, None].expand_as(raw))


@torch.no_grad()
def test_edges_of_a_mirrored_image_are_the_mirrored_edges() -> None:
    network = EdgeDisplacement(tiny_trunk(), width=8).eval()
    image = torch.randn(3, 32, 48)
    torch.testing.assert_close(network.analyse(image)[0].flip(-1), network.analyse(image.flip(-1))[0])
    torch.testing.assert_close(network.analyse(image)[1], network(image[None]).displacements[0], atol=1e-5, rtol=1e-4)
    with pytest.raises(UsageError, match="eval"):
        network.train().analyse(image)


@torch.no_grad()
def test_a_saved_network_is_the_same_and_knows_its_trunk(tmp_path: Path) -> None:
    network = EdgeDisplacement(tiny_trunk(), width=8).eval()
    network.mean_shift.running_mean.fill_(0.5)
    save(network, tmp_path / "irn.safetensors")
    again = load(tmp_path / "irn.safetensors", tiny_trunk())
    image = torch.randn(3, 32, 32)
    for one, other in zip(network.analyse(image), again.analyse(image), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    with pytest.raises(DataError, match="trunk of other weights"):
        load(tmp_path / "irn.safetensors", tiny_trunk(seed=1))
    write({"a": torch.zeros(1)}, tmp_path / "no.safetensors", {})
    with pytest.raises(DataError, match="not an IRN network"):
        load(tmp_path / "no.safetensors", tiny_trunk())


def test_torchvisions_file_is_read_and_another_is_named(tmp_path: Path, resnet: FiveDepthResNet) -> None:
    state = {key: value for key, value in resnet.resnet.state_dict().items() if "tracked" not in key}  # as older files
    torch.save({**state, "fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}, tmp_path / "resnet.pth")
    assert fingerprint(FiveDepthResNet(tmp_path / "resnet.pth")) == fingerprint(resnet)
    torch.save({"a": torch.zeros(1)}, tmp_path / "no.pth")
    with pytest.raises(DataError, match="ResNet-50"):
        FiveDepthResNet(tmp_path / "no.pth")
    with pytest.raises(UsageError, match=r"download\.pytorch\.org"):
        FiveDepthResNet(tmp_path / "absent.pth")


def test_a_width_or_trunk_that_does_not_do_is_refused() -> None:
    with pytest.raises(UsageError, match="multiple of 8"):
        EdgeDisplacement(tiny_trunk(), width=12)
    trunk = tiny_trunk()
    trunk.strides = (2, 4, 8, 8, 8)
    with pytest.raises(UsageError, match="stride 4"):
        EdgeDisplacement(trunk)
