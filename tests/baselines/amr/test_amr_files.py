"""AMR's files: every name of the authors' layout, and in one line what is wrong with a file that is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from helpers.amrs import FULL_DEPTH, FULL_PLANES, amr_state, class_maps, tripled
from torch import Tensor

import baselines.amr as amr
from baselines.amr.layout import aliases
from baselines.amr.network import AmrConfig, AmrNetwork
from baselines.amr.weights_file import load, load_cam, load_imagenet
from risbench import DataError, UsageError
from tris_model.files import write


def saved(path: Path, state: Mapping[str, Tensor], **more: object) -> Path:
    torch.save({"model": dict(state), **more} if more else dict(state), path)
    return path


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return tripled(amr_state())


def same(network: AmrNetwork) -> bool:
    own = amr_state()
    return all(value.equal(own[key]) for key, value in network.state_dict().items())


def test_the_authors_file_has_2392_names_of_798_tensors():
    with torch.device("meta"):
        network = AmrNetwork(AmrConfig())
    names = {name for key in network.state_dict() for name in (key, *aliases(key))}
    assert len(names) == 2392
    tops = {name.split(".")[0] for name in names}
    assert tops == {
        "resnet50", "stage1", "stage2", "stage3", "stage4", "backbone", "resnet50_2", "stage2_1", "stage2_2",
        "stage2_3", "stage2_4", "backbone2", "classifier", "classifier2", "newly_added",
    }  # fmt: skip
    assert {
        "stage1.4.0.conv1.weight", "backbone.0.0.weight", "backbone.3.0.2.bn3.running_var", "newly_added.1.weight",
        "stage2_4.0.2.amm.ChannelAMM.mlp.3.bias", "backbone2.0.4.1.amm.SpatialAMM.spatial.bn.num_batches_tracked",
        "resnet50_2.layer3.5.amm.SpatialAMM.spatial.conv.weight",
    } <= names  # fmt: skip
    # The names that another program writes down for the same tensors (helpers.amrs), with their shapes.
    own = amr_state(stem=64, planes=FULL_PLANES, depth=FULL_DEPTH)
    assert set(tripled(own)) == names
    assert {key: tuple(value.shape) for key, value in own.items()} == {
        key: tuple(value.shape) for key, value in network.state_dict().items()
    }
    assert own["resnet50_2.layer4.0.amm.ChannelAMM.mlp.1.weight"].shape == (128, 2048)


def test_a_file_is_read_plain_wrapped_prefixed_and_in_half_precision(state: dict[str, Tensor], tmp_path: Path):
    assert same(amr.load(saved(tmp_path / "plain.pth", state)))
    assert same(amr.load(saved(tmp_path / "wrapped.pth", state, epoch=8)))
    assert same(amr.load(saved(tmp_path / "prefixed.pth", {f"module.{key}": value for key, value in state.items()})))
    apart = {key: value.clone() for key, value in state.items()}  # aliases that are copies, as some programs save them
    assert same(amr.load(saved(tmp_path / "apart.pth", apart)))
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    network = amr.load(saved(tmp_path / "half.pth", half))
    assert network.classifier.weight.dtype == torch.float32
    assert not network.training


def test_a_file_of_ours_holds_each_tensor_once_and_its_sizes(state: dict[str, Tensor], tmp_path: Path):
    sizes = AmrConfig(stem=16, planes=(8, 8, 16, 32), depth=(2, 1, 1, 2), strides=(2, 2, 1, 1))
    write(amr_state(), tmp_path / "ours.safetensors", {"config": sizes.to_json()})
    network = amr.load(tmp_path / "ours.safetensors")
    assert network.config == sizes
    assert same(network)
    assert network(torch.randn(2, 3, 64, 64))[0].shape == (2, 20, 8, 8)
    less = {key: value for key, value in amr_state().items() if key != "resnet50.bn1.bias"}
    write(less, tmp_path / "less.safetensors", {"config": sizes.to_json()})
    with pytest.raises(DataError, match=r"1 missing \(resnet50.bn1.bias\)"):
        amr.load(tmp_path / "less.safetensors")
    write(amr_state(), tmp_path / "odd.safetensors", {"config": '{"width": 12}'})
    with pytest.raises(DataError, match="its configuration is not one of AMR"):
        amr.load(tmp_path / "odd.safetensors")


def test_a_head_of_80_classes_is_cocos_and_one_of_37_nobodys(tmp_path: Path):
    coco = amr.load(saved(tmp_path / "coco.pth", tripled(amr_state(classes=80))))
    assert coco.config.classes == "coco"
    with pytest.raises(DataError, match=r"its classifiers have 37 classes, and 20 \(VOC\), 80 \(COCO\)"):
        amr.load(saved(tmp_path / "other.pth", tripled(amr_state(classes=37))))


def test_every_alias_must_be_there_and_agree(state: dict[str, Tensor], tmp_path: Path):
    once = amr_state()
    with pytest.raises(DataError, match=r"names are missing \(stage1.0.weight, backbone.0.0.weight, .* and \d+ more\)"):
        amr.load(saved(tmp_path / "once.pth", once))
    less = {key: value for key, value in state.items() if key != "backbone2.3.0.1.amm.SpatialAMM.spatial.bn.weight"}
    with pytest.raises(DataError, match=r"1 names are missing \(backbone2.3.0.1.amm.SpatialAMM.spatial.bn.weight\)"):
        amr.load(saved(tmp_path / "less.pth", less))
    other = {**state, "newly_added.1.weight": state["classifier2.weight"] + 1}
    with pytest.raises(DataError, match=r"classifier2.weight and newly_added.1.weight are one weight in AMR, and diff"):
        amr.load(saved(tmp_path / "other.pth", other))


def test_names_that_are_missing_or_too_many_are_named(state: dict[str, Tensor], tmp_path: Path):
    key = "resnet50.layer2.0.conv2.weight"
    without = {name: value for name, value in state.items() if name != key}
    with pytest.raises(DataError, match=rf"1 missing \({key}\); 2 unexpected \(stage2.0.0.conv2.weight, backbone.1.0"):
        amr.load(saved(tmp_path / "without.pth", without))
    with pytest.raises(DataError, match=r"1 unexpected \(extra.weight\)"):
        amr.load(saved(tmp_path / "extra.pth", {**state, "extra.weight": torch.zeros(3)}))
    name = "classifier.weight"
    narrow = {**state, **dict.fromkeys((name, *aliases(name)), state[name][:, :64])}
    with pytest.raises(DataError, match=r"1 of the wrong shape \(classifier.weight \(20, 64, 1, 1\) instead"):
        amr.load(saved(tmp_path / "narrow.pth", narrow))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("attn_fusion.fc.weight", "backbone.visual.conv1.weight"), "a checkpoint of TRIS"),
        (("backbone.layers.0.fusion.image_lang_att.f_key.0.weight", "classifier.conv1_1.weight"), "of LAVT"),
        (("module.E.Org_model.0.weight", "module.D.bottleneck.conv1.weight"), "of WWbL"),
        (("pre_cond.0.conv0.weight", "decoder_blocks.0.conv0.weight"), "of GbS"),
        (("fc_edge1.0.weight", "stage1.0.weight"), "of IRN"),
        (("img_encoder.pos_embed", "text_encoder.token_embedding.weight"), "of GroupViT"),
        (("visual.class_embedding", "positional_embedding"), "a CLIP"),
        (("conv1.weight", "layer1.0.conv1.weight", "fc.weight"), "a ResNet of torchvision"),
        (("resnet50.conv1.weight", "classifier.weight", "backbone.0.0.weight"), r"a CAM network, .* --set cam.start"),
        (("anything.weight",), r"another network \(it begins with anything.weight\)"),
    ],
)
def test_a_checkpoint_of_another_method_is_named(names: tuple[str, ...], message: str, tmp_path: Path):
    path = saved(tmp_path / "other.pth", {name: torch.zeros(3) for name in names})
    with pytest.raises(DataError, match=f"other.pth is .*{message}.*; amr needs weights: pass --weights"):
        amr.load(path)


def test_no_file_and_a_broken_one(tmp_path: Path):
    saved(tmp_path / "res50_amr.pth.pth", {"a": torch.zeros(1)})
    with pytest.raises(UsageError, match=r"no weights file .*res50_amr.pth \(did you mean .*res50_amr.pth.pth\?\)"):
        amr.load(tmp_path / "res50_amr.pth")
    (tmp_path / "page.pth").write_text("<html>")
    with pytest.raises(DataError, match="is a page of HTML"):
        amr.load(tmp_path / "page.pth")


def test_the_cam_network_that_training_starts_from_is_read_by_its_own_names(state: dict[str, Tensor], tmp_path: Path):
    first = {key: value for key, value in amr_state().items() if key.startswith(("resnet50.", "classifier."))}
    names = {name for key in first for name in (key, *aliases(key))}
    cam = {name: state[name] for name in names}
    network = load_cam(saved(tmp_path / "res50_cam.pth.pth", cam))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = class_maps(amr_state(), images)[0].flatten(2).mean(2)
        torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(DataError, match=r"a checkpoint of AMR .*, and no CAM network of one branch"):
        load_cam(saved(tmp_path / "both.pth", state))
    with pytest.raises(UsageError, match="give a CAM checkpoint"):
        load_cam(tmp_path / "absent.pth")


def test_imagenets_file_gives_a_trunk_without_its_classifier(tmp_path: Path):
    first = {key.removeprefix("resnet50."): value for key, value in amr_state().items() if key.startswith("resnet50.")}
    path = saved(tmp_path / "resnet50.pth", {**first, "fc.weight": torch.zeros(1000, 128), "fc.bias": torch.zeros(9)})
    assert load_imagenet(path).keys() == first.keys()
    with pytest.raises(DataError, match=r"another network .*, and no ResNet of torchvision"):
        load_imagenet(saved(tmp_path / "other.pth", {"a": torch.zeros(3)}))
    with pytest.raises(UsageError, match=r"resnet50-19c8e357.pth"):
        load_imagenet(tmp_path / "absent.pth")


def test_the_digest_is_that_of_the_file(state: dict[str, Tensor], tmp_path: Path):
    from tris_model import digest

    path = saved(tmp_path / "plain.pth", state)
    loaded = load(path)
    assert loaded.digest == digest(path)
    assert loaded.trained_on is None
