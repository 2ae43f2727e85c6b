"""The weights of a network are found wherever a training program put them, and never guessed."""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import tris_model
from risbench.errors import DataError, UsageError
from tris_model.files.checkpoint import read
from tris_model.files.entries import choose
from tris_model.files.names import find
from tris_model.network.stage1 import Stage1

PLAIN = {"vis.a": torch.arange(3.0), "vis.b": torch.ones(2), "logit": torch.tensor(2.0)}
AVERAGED = {key: value + 1 for key, value in PLAIN.items()}


def looks(names: Any) -> bool:
    return "vis.a" in names


def before(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in state.items()}


@pytest.mark.parametrize(
    "held",
    [
        PLAIN,
        {"state_dict": PLAIN, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}},
        {"model_state_dict": PLAIN},
        {"net": PLAIN},
        {"module": PLAIN},
        {"params": PLAIN},
        {"model": {"state_dict": PLAIN}},
        {"checkpoint": {"model": {"weights": PLAIN}}},
        {"model": collections.OrderedDict(PLAIN)},
        {**PLAIN, "epoch": 3, "arch": "RN50"},
        {**PLAIN, "epoch": torch.tensor(3)},
        before("module.", PLAIN),
        before("module.module.", PLAIN),
        before("_orig_mod.", PLAIN),
        before("module._orig_mod.", PLAIN),
        before("_orig_mod.module.", PLAIN),
        before("_fsdp_wrapped_module.", PLAIN),
        {"vis._orig_mod.a": PLAIN["vis.a"], "vis._fsdp_wrapped_module.b": PLAIN["vis.b"], "logit": PLAIN["logit"]},
        {"state_dict": before("model.", PLAIN), "pytorch-lightning_version": "2.2.0"},
        {"state_dict": before("my_own_name.", PLAIN)},
        before("net.model.", PLAIN),
        {"n_averaged": torch.tensor(5), **before("module.", PLAIN)},
        {"model": PLAIN, "state_dict": PLAIN},
        {"ema": PLAIN},
    ],
)
def test_a_wrapped_network_is_the_plain_one(held: Any) -> None:
    found = choose(held, "x.pth", looks)
    assert dict(found.state) == PLAIN
    assert found.notes == ()


@pytest.mark.parametrize("name", ["ema", "model_ema", "state_dict_ema", "ema_state_dict", "swa_model", "ema_model"])
def test_of_plain_and_averaged_weights_the_plain_are_taken_and_the_user_is_told(name: str) -> None:
    held = {"model": PLAIN, name: AVERAGED}
    found = choose(held, "x.pth", looks)
    assert dict(found.state) == PLAIN
    assert f"give x.pth#{name} to use that" in found.notes[0]
    assert dict(choose(held, "x.pth", looks, name).state) == AVERAGED
    flat = choose({**before("model.", PLAIN), **before(f"{name}.", AVERAGED)}, "x.pth", looks)
    assert dict(flat.state) == PLAIN
    assert name in flat.notes[0]


@pytest.mark.parametrize(
    "held",
    [
        {"student": PLAIN, "teacher": AVERAGED},
        {**before("student.", PLAIN), **before("teacher.", AVERAGED)},
        {"state_dict": {**before("student.", PLAIN), **before("teacher.", AVERAGED)}},
        {**before("module.student.", PLAIN), **before("module.teacher.", AVERAGED)},
    ],
)
def test_two_networks_are_listed_and_the_choice_is_the_users(held: Any) -> None:
    with pytest.raises(DataError, match=r"several networks: '.*student.*teacher.*choose one with FILE#") as caught:
        choose(held, "x.pth", looks)
    address = str(caught.value).split("FILE#")[1].split(",")[0]
    assert dict(choose(held, "x.pth", looks, address).state) == PLAIN
    assert dict(choose(held, "x.pth", looks, "teacher").state) == AVERAGED


def test_a_network_beside_other_tensors_is_not_cut_out_unasked() -> None:
    held = {**before("model.", PLAIN), "criterion.weight": torch.ones(4)}
    with pytest.raises(DataError, match=r"among other tensors: 'model\.' \(3 tensors\)"):
        choose(held, "x.pth", looks)
    assert dict(choose(held, "x.pth", looks, "model.").state) == PLAIN


def test_one_weight_twice_with_and_without_a_wrappers_word_is_refused() -> None:
    with pytest.raises(DataError, match="two networks under one name"):
        choose({**PLAIN, **before("module.", AVERAGED)}, "x.pth", looks)
    with pytest.raises(DataError, match=r"no entry 'nothing'.*'model'"):
        choose({"model": PLAIN}, "x.pth", looks, "nothing")


def test_what_lies_beside_the_weights_keeps_no_network_from_being_read(small: Stage1, tmp_path: Path) -> None:
    beside = {
        "args": argparse.Namespace(lr=1, data=pathlib.PurePosixPath("a/b")),
        "space": types.SimpleNamespace(a=1),
        "best": np.float64(0.5),
        "step": np.int64(3),
        "curve": np.arange(4.0),
        "kept": collections.defaultdict(list, {"a": [1]}),
    }
    state, config = small.state_dict(), small.config.to_json()
    for number, legacy in enumerate((False, True)):
        path = tmp_path / f"{number}.pth"
        held = {"model": collections.defaultdict(int, state), "config": config, **beside}
        torch.save(held, path, _use_new_zipfile_serialization=not legacy)
        loaded = tris_model.load(path).state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in state.items())


def test_a_whole_network_as_an_object_is_refused_with_a_line_that_saves_its_weights(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(DataError, match=r"class torch\.nn\.modules\.linear\.Linear.*save\(load\(.*\)\.state_dict\(\)"):
        read(tmp_path / "whole.pth")


def test_tied_weights_half_precision_and_missing_counts_are_read(small: Stage1, tmp_path: Path) -> None:
    state = {key: v.bfloat16() if v.is_floating_point() else v for key, v in small.state_dict().items()}
    state = {key: v for key, v in state.items() if not key.endswith("num_batches_tracked")}
    state["logit_scale"] = state["logit_scale"].reshape(1)
    again = {f"again.{n}.{key}": value for n in range(3) for key, value in state.items()}
    torch.save({"model": state, "config": small.config.to_json(), "more": again}, tmp_path / "x.pth")
    loaded = tris_model.load(tmp_path / "x.pth").state_dict()
    assert torch.equal(loaded["vis_project.weight"], state["vis_project.weight"].float())
    assert loaded["logit_scale"].shape == ()
    torch.save({"a": state["vis_project.weight"], "b": state["vis_project.weight"], "c": state["vis_project.weight"]},
               tmp_path / "tied.pth")  # fmt: skip
    assert set(read(tmp_path / "tied.pth").state) == {"a", "b", "c"}


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_shards_are_one_network(small: Stage1, tmp_path: Path, kind: str) -> None:
    keys = sorted(small.state_dict())
    stem = "model" if kind == "safetensors" else "pytorch_model"
    parts = {f"{stem}-0000{n}-of-00002.{kind}": keys[n - 1 :: 2] for n in (1, 2)}
    for name, some in parts.items():
        tensors = {key: small.state_dict()[key].clone() for key in some}
        if kind == "safetensors":
            save_file(tensors, tmp_path / name)
        else:
            torch.save(tensors, tmp_path / name)
    index = tmp_path / f"{stem}.{kind}.index.json"
    index.write_text(json.dumps({"weight_map": {key: name for name, some in parts.items() for key in some}}))
    for place in (tmp_path, index, tmp_path / next(iter(parts))):
        assert set(read(find(place)).state) == set(keys)
    (tmp_path / next(iter(parts))).unlink()
    with pytest.raises(DataError, match=r"1 of its 2 shards are missing"):
        read(index)
    index.write_text(json.dumps({"weight_map": {"a": "../a.bin"}}))
    with pytest.raises(DataError, match=r"not a file in its folder"):
        read(index)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><title>Sign in</title>", "page of HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n", "Git LFS pointer.*12345 bytes"),
        (b"Not Found", "is a text without weights"),
        (b'{"model_type": "clip"}', "is a JSON text"),
        (b"\x1f\x8b\x08\x00abc", "gzip archive: unpack it"),
        (b"\x89HDF\r\n\x1a\nxxxx", "HDF5"),
    ],
)
def test_a_file_that_is_something_else_is_named_as_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path / "x.pth")
    assert "\n" not in str(caught.value)


def test_a_download_that_stopped_is_called_incomplete(small: Stage1, tmp_path: Path) -> None:
    torch.save(small.state_dict(), tmp_path / "x.pth")
    whole = (tmp_path / "x.pth").read_bytes()
    (tmp_path / "x.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is incomplete"):
        read(tmp_path / "x.pth")


def test_a_mistyped_name_is_answered_with_the_near_ones(small: Stage1, tmp_path: Path) -> None:
    tris_model.save(small, tmp_path / "stage1_refcoco.pth")
    with pytest.raises(UsageError, match=r"did you mean stage1_refcoco\.pth\?"):
        tris_model.load(tmp_path / "stage1_refcco.pth")
    assert tris_model.load(tmp_path).config == small.config  # the one file of weights in a folder


def test_a_description_says_which_entry_was_read(small: Stage1, tmp_path: Path) -> None:
    state = small.state_dict()
    averaged = {key: value * 2 for key, value in state.items()}
    torch.save({"model": state, "model_ema": averaged, "config": small.config.to_json()}, tmp_path / "x.pth")
    result = tris_model.describe(tmp_path / "x.pth")
    assert result["entry"] == "model"
    assert "x.pth#model_ema to use that" in result["notes"][0]
    tris_model.convert(f"{tmp_path}/x.pth#model_ema", tmp_path / "ema.safetensors")
    loaded = tris_model.load(tmp_path / "ema.safetensors").state_dict()
    assert torch.equal(loaded["vis_project.weight"], averaged["vis_project.weight"])
