"""The start from ImageNet: its files say so and load back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from risbench.errors import DataError, UsageError
from tris_model import load, save
from tris_model.config import STAGE1, Config
from tris_model.inference.predictor import Tris
from tris_model.network.stage1 import Stage1
from tris_model.train.imagenet import put_trunk
from tris_model.train.pseudo import PseudoRecipe, trunk_of

# RN50's image tower, which is what is replaced, beside a small text tower.
SIZES = replace(STAGE1, image_size=64, text_width=64, text_depth=1, text_heads=1, hidden=8, pool_grid=0)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from torchvision.models import resnet50

    path = tmp_path_factory.mktemp("imagenet") / "resnet50.pth"
    torch.manual_seed(0)
    state = resnet50(weights=None).state_dict()
    torch.save({key: value for key, value in state.items() if not key.endswith("_tracked")}, path)
    return path


@pytest.fixture(scope="module")
def network(resnet: Path) -> Stage1:
    torch.manual_seed(0)
    network = Stage1(SIZES)
    put_trunk(network, resnet)
    return network.eval()


@pytest.mark.parametrize("name", ["one.safetensors", "one.pth"])
def test_a_network_with_the_imagenet_trunk_loads_back(network: Stage1, tmp_path: Path, name: str) -> None:
    save(network, tmp_path / name)
    back = load(tmp_path / name)
    assert back.config == network.config
    assert (back.config.trunk, back.config.backbone) == ("imagenet", "imagenet-RN50")
    image, tokens = torch.randn(1, 3, 64, 64), torch.tensor([[49406, 320, 49407, *[0] * 17]])
    with torch.inference_mode():
        torch.testing.assert_close(back.respond(image, tokens), network.respond(image, tokens), rtol=0, atol=0)
    heat = Tris(str(tmp_path / name)).predict(np.zeros((50, 70, 3), np.uint8), ["a dog"])[0]
    assert np.isfinite(heat).all()


def test_a_file_without_a_config_is_known_by_its_keys(network: Stage1, tmp_path: Path) -> None:
    torch.save({"model": network.state_dict()}, tmp_path / "bare.pth")
    found = load(tmp_path / "bare.pth").config
    # Neither the image's size nor the heads of the text tower leave a trace in shapes.
    assert replace(found, image_size=SIZES.image_size) == network.config


def test_configs_of_older_files_have_clips_trunk() -> None:
    old = json.loads(STAGE1.to_json())
    del old["trunk"]
    assert Config.from_json(json.dumps(old)) == STAGE1


def test_only_a_network_of_rn50s_sizes_takes_it_and_only_from_torchvisions_file(resnet: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="RN50's sizes"):
        put_trunk(Stage1(replace(SIZES, depth=(1, 1, 1, 1))), resnet)
    with pytest.raises(UsageError, match=r"download\.pytorch\.org"):
        put_trunk(Stage1(SIZES), tmp_path / "absent.pth")
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match="as torchvision's ResNet-50"):
        put_trunk(Stage1(SIZES), tmp_path / "other.pth")


def test_irn_cannot_stand_on_the_trunk_of_such_a_stage_1(network: Stage1, tmp_path: Path) -> None:
    save(network, tmp_path / "one.safetensors")
    with pytest.raises(UsageError, match=r"pseudo\.trunk=imagenet"):
        trunk_of(PseudoRecipe(trunk="stage1"), tmp_path / "one.safetensors")
