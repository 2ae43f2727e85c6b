"""Files: detected, compared strictly, converted bit for bit, and never allowed to run code."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import tris_model
from risbench.errors import DataError, UsageError
from tris_model.config import STAGE1, STAGE2, Config
from tris_model.files.architecture import build, detect
from tris_model.files.checkpoint import digest, save
from tris_model.network.stage1 import Stage1
from tris_model.network.stage2 import Stage2


def as_the_authors_save(network: torch.nn.Module, path: Path) -> Path:
    state = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 5e-5}]}
    torch.save({"model": network.state_dict(), "optimizer": state, "lr_scheduler": {"last_epoch": 3}, "epoch": 3}, path)
    return path


@pytest.mark.parametrize("stage", [1, 2])
def test_an_authors_file_of_either_stage_loads_by_itself(
    stage: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    network = request.getfixturevalue(f"stage{stage}")
    path = as_the_authors_save(network, tmp_path / "made_up.pth")
    loaded = tris_model.load(path)
    path.unlink()  # half a gigabyte, which pytest would keep
    assert type(loaded) is (Stage1 if stage == 1 else Stage2)
    assert loaded.config == (STAGE1 if stage == 1 else STAGE2)
    assert loaded.config.backbone == "clip-RN50"
    assert (loaded.config.image_size, loaded.config.text_length) == (320, 20)
    assert not loaded.training
    state = loaded.state_dict()
    for key, value in network.state_dict().items():
        assert torch.equal(state[key], value), key


def test_conversion_there_and_back_is_bit_for_bit(small: Stage1, tmp_path: Path) -> None:
    save(small, tmp_path / "a.pth")
    result = tris_model.convert(tmp_path / "a.pth", tmp_path / "b.safetensors")
    tris_model.convert(tmp_path / "b.safetensors", tmp_path / "c.pth")
    before = torch.load(tmp_path / "a.pth", weights_only=True)["model"]
    after = torch.load(tmp_path / "c.pth", weights_only=True)["model"]
    assert set(before) == set(after)
    for key, value in before.items():
        assert value.dtype == after[key].dtype
        assert value.numpy().tobytes() == after[key].numpy().tobytes(), key
    assert result["said"]["source"] == "a.pth"


def test_safetensors_name_the_hash_of_what_they_came_from(small: Stage1, tmp_path: Path) -> None:
    save(small, tmp_path / "a.pth")
    tris_model.convert(tmp_path / "a.pth", tmp_path / "b.safetensors")
    with safe_open(tmp_path / "b.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata["source_sha256"] == digest(tmp_path / "a.pth")
    assert Config.from_json(metadata["config"]) == small.config
    tris_model.convert(tmp_path / "b.safetensors", tmp_path / "c.safetensors")
    again = tris_model.describe(tmp_path / "c.safetensors")
    assert again["said"]["source_sha256"] == digest(tmp_path / "a.pth")
    assert json.dumps(again)


def test_half_precision_stays_as_it_is_in_a_file_and_becomes_float32_in_a_network(
    small: Stage1, tmp_path: Path
) -> None:
    half = {key: value.half() if value.is_floating_point() else value for key, value in small.state_dict().items()}
    torch.save({"model": half, "config": small.config.to_json()}, tmp_path / "half.pth")
    result = tris_model.convert(tmp_path / "half.pth", tmp_path / "half.safetensors")
    assert result["dtypes"]["float16"] > 0
    loaded = tris_model.load(tmp_path / "half.safetensors")
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32, torch.int64}


def test_a_description_says_what_a_file_is(small2: Stage2, tmp_path: Path) -> None:
    save(small2, tmp_path / "b.safetensors", {"data": "drawn scenes"})
    result = tris_model.describe(tmp_path / "b.safetensors")
    assert (result["stage"], result["backbone"], result["kind"]) == (2, "custom", "safetensors")
    assert result["parameters"] == sum(weight.numel() for weight in small2.parameters())
    assert result["said"]["data"] == "drawn scenes"


def test_a_small_networks_sizes_travel_with_it(small: Stage1, tmp_path: Path) -> None:
    for name in ("s.pth", "s.safetensors"):
        save(small, tmp_path / name)
        loaded = tris_model.load(tmp_path / name)
        assert loaded.config == small.config


def test_one_renamed_key_is_an_error_that_names_it(stage1: Stage1) -> None:
    for key in ("attn_fusion.v_proj2.0.weight", "backbone.visual.conv3.weight", "backbone.ln_final.weight"):
        state = dict(stage1.state_dict())
        state[key + "_"] = state.pop(key)
        with pytest.raises(DataError, match=r"1 missing \(" + key.replace(".", r"\.") + r"\); 1 unexpected") as caught:
            build(detect(state, "renamed.pth"), state, "renamed.pth")
        assert "\n" not in str(caught.value)


def test_wrong_shapes_are_named_with_both_shapes(small: Stage1, tmp_path: Path) -> None:
    state = {**small.state_dict(), "attn_fusion.t_proj1.0.bias": torch.zeros(7)}
    torch.save({"model": state, "config": small.config.to_json()}, tmp_path / "shape.pth")
    with pytest.raises(
        DataError, match=r"1 of the wrong shape \(attn_fusion\.t_proj1\.0\.bias \(7,\) instead of \(24,\)"
    ):
        tris_model.load(tmp_path / "shape.pth")


def test_a_clip_and_a_stranger_are_told_apart(small: Stage1, tmp_path: Path) -> None:
    torch.save({"model": small.backbone.state_dict()}, tmp_path / "clip.pth")
    with pytest.raises(DataError, match="is a CLIP, not a TRIS"):
        tris_model.load(tmp_path / "clip.pth")
    torch.save({"head.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match="neither TRIS stage 1"):
        tris_model.load(tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(DataError, match="holds no weights"):
        tris_model.load(tmp_path / "list.pth")


class Bomb:
    def __init__(self, fuse: Path):
        self.fuse = fuse

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.fuse),))


def test_code_in_a_pickle_does_not_run_and_is_named(tmp_path: Path) -> None:
    fuse = tmp_path / "ran"
    torch.save({"model": {"a": torch.zeros(2)}, "args": Bomb(fuse)}, tmp_path / "bomb.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Bomb(fuse), protocol=2))
    for name in ("bomb.pth", "plain.pth"):
        with pytest.raises(DataError, match=r"not opened.*mkdir"):
            tris_model.load(tmp_path / name)
    assert not fuse.exists()


def test_broken_files_are_one_line_each(small: Stage1, tmp_path: Path) -> None:
    save(small, tmp_path / "a.pth")
    save(small, tmp_path / "a.safetensors")
    whole, safe = (tmp_path / "a.pth").read_bytes(), (tmp_path / "a.safetensors").read_bytes()
    broken = {
        "empty.pth": b"",
        "text.pth": b"<html>404 not found</html>",
        "half.pth": whole[: len(whole) // 2],
        "nothing.pth": bytes(1000),
        "half.safetensors": safe[: len(safe) // 2],
        "head.safetensors": safe[:20],
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name) as caught:
            tris_model.load(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_what_is_not_there_is_said_with_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no weights file .*nowhere\.pth.*releases/download"):
        tris_model.load(tmp_path / "nowhere.pth")
    with pytest.raises(DataError, match="is a folder"):
        tris_model.load(tmp_path)


def test_another_stage_than_the_files_is_an_error(small: Stage1, tmp_path: Path) -> None:
    save(small, tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="is TRIS stage 1, not 2"):
        tris_model.load(tmp_path / "a.safetensors", stage=2)


def test_a_file_can_only_become_pth_or_safetensors(small: Stage1, tmp_path: Path) -> None:
    save(small, tmp_path / "a.pth")
    with pytest.raises(UsageError, match=r"must end in \.safetensors or \.pth"):
        tris_model.convert(tmp_path / "a.pth", tmp_path / "a.onnx")


def test_a_config_from_the_future_is_refused(small: Stage1, tmp_path: Path) -> None:
    text = json.dumps({**json.loads(small.config.to_json()), "colour": 3})
    torch.save({"model": small.state_dict(), "config": text}, tmp_path / "new.pth")
    with pytest.raises(DataError, match="unknown field colour"):
        tris_model.load(tmp_path / "new.pth")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_an_error_that_says_what_to_do(small: Stage1, tmp_path: Path) -> None:
    save(small, tmp_path / "a.safetensors")
    for device in ("cuda", "cuda:3", "tpu", "meta"):
        with pytest.raises(UsageError, match=r"cpu"):
            tris_model.load(tmp_path / "a.safetensors", device)
    assert tris_model.load(tmp_path / "a.safetensors", "auto").logit_scale.device.type == "cpu"  # pyright: ignore


def test_weights_are_read_as_a_copy_of_the_file(small: Stage1, tmp_path: Path) -> None:
    for name in ("a.safetensors", "a.pth"):
        save(small, tmp_path / name)
        loaded = tris_model.load(tmp_path / name)
        (tmp_path / name).write_bytes(b"")
        assert torch.equal(loaded.state_dict()["vis_project.weight"], small.state_dict()["vis_project.weight"])
