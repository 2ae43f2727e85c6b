"""MG's files: the authors' checkpoint in their layout, the converter, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.bundles import BundleWriter, table, tag
from helpers.commands import Ask
from helpers.mgs import features, save, small, variables
from safetensors.torch import save_file

import baselines.mg
from baselines.mg import converter
from baselines.mg.config import MgConfig
from baselines.mg.network import MgNetwork
from risbench import DataError, UsageError
from tris_model.files import write


def maps(network: MgNetwork) -> torch.Tensor:
    layers = [torch.from_numpy(one) for one in features()]
    with torch.inference_mode():
        return network.word_maps(torch.full((2, 3, 75, 75), 99.0), *layers).heat


@pytest.mark.parametrize("text", ["elmo", "bilstm"])
def test_a_checkpoint_is_converted_and_gives_the_same_maps(tmp_path: Path, text: str, ask: Ask):
    prefix = save({**small(text), "global_step": np.array(7, np.int64)}, tmp_path / "model", shards=3)
    out = tmp_path / "mg.safetensors"
    done = ask("weights", "convert", f"{prefix}.index", out)
    assert done.code == 0, done.err
    one, other = baselines.mg.load(prefix), baselines.mg.load(out)
    assert torch.equal(maps(one), maps(other))
    assert not other.training
    shown = json.loads(ask("weights", "show", prefix, "--json").out)
    assert (shown["method"], shown["kind"], shown["keys"]) == ("mg", "TensorFlow checkpoint", len(one.state_dict()))
    again = json.loads(ask("weights", "show", out, "--json").out)
    assert (again["kind"], again["config"]["text"]) == ("safetensors", text)
    assert again["metadata"]["source"] == "model"
    assert again["metadata"]["source_sha256"] == shown["sha256"]


def test_choices_are_kept_in_the_converted_file(tmp_path: Path):
    prefix = save(variables(widths=(4, 4, 6, 8, 8), space=12, embed=6), tmp_path / "model")
    converter.convert(prefix, tmp_path / "a.safetensors", mix="stored")
    assert baselines.mg.load(tmp_path / "a.safetensors").config.mix == "stored"
    assert baselines.mg.load(prefix).config.mix == "thirds"
    assert baselines.mg.load(tmp_path / "a.safetensors", mix="thirds").config.mix == "thirds"
    converter.convert(prefix, tmp_path / "b.safetensors", edition="notebooks")
    assert baselines.mg.load(tmp_path / "b.safetensors").config.grid == "smallest"
    with pytest.raises(UsageError, match=r"must end in \.safetensors"):
        converter.convert(prefix, tmp_path / "b.pth")
    with pytest.raises(UsageError, match="mix=third"):
        baselines.mg.load(prefix, mix="third")
    with pytest.raises(UsageError, match="have a BiLSTM"):
        baselines.mg.load(save(small("bilstm"), tmp_path / "other"), mix="thirds")


def test_what_nothing_reads_is_not_read(tmp_path: Path):
    writer = BundleWriter()
    for name, value in small().items():
        writer.array(name, value)
    writer.array("GroundNet/image_block/vgg_16/fc6/weights", np.ones((2, 2), np.float32))
    writer.data[0] = writer.data[0][:-3] + b"xyz"  # fc6 is broken
    prefix = writer.save(tmp_path / "model")
    loaded = baselines.mg.load(prefix)
    assert loaded.config.text == "elmo"
    with pytest.raises(DataError, match="checksum"):
        baselines.mg.read_bundle(prefix)


def test_checkpoints_that_do_not_fit_are_named(tmp_path: Path):
    arrays = small()

    def refused(given: dict[str, np.ndarray], words: str) -> None:
        with pytest.raises(DataError, match=words) as caught:
            baselines.mg.load(save(given, tmp_path / "x"))
        assert "\n" not in str(caught.value)

    lacking = {key: value for key, value in arrays.items() if not key.endswith("v2_postConv/conv2d_1/bias")}
    refused(lacking, r"1 missing \(image_mapping\.v2\.1\.bias\)")
    refused({**arrays, "GroundNet/more": np.zeros(2, np.float32)}, r"1 variables that no MG has \(GroundNet/more\)")
    wrong = dict(arrays)
    wrong["GroundNet/mapping/text_mapping/word_level/dense/bias"] = np.zeros(5, np.float32)
    refused(wrong, r"1 of the wrong shape \(text_mapping\.word_level\.dense\.bias \(5,\)")
    pnas = {key.replace("vgg_16", "cell_5"): value for key, value in arrays.items()}
    refused(pnas, "PNASNet-5, which is not built here")
    refused({"resnet/conv/kernel": np.zeros(2, np.float32)}, "TensorFlow checkpoint of another network")
    refused({key: value for key, value in arrays.items() if "postConv" not in key}, "another network|a part of an MG")
    bilstm = small("bilstm")
    cell = "GroundNet/text_block/text_post_process/BiLSTM/bidirectional_rnn/fw/lstm_cell/bias"
    refused({**bilstm, cell: np.zeros(20, np.float32)}, "do not fit together")


def test_files_of_other_networks_are_named(tmp_path: Path):
    path = tmp_path / "x.safetensors"
    for key, words in (
        ("E.Org_model.0.weight", "a checkpoint of WWbL"), ("attn_fusion.weight", "a checkpoint of TRIS"),
        ("features.0.weight", "a VGG of torchvision"), ("visual.class_embedding", "a CLIP"),
    ):  # fmt: skip
        save_file({key: torch.zeros(2), "more.weight": torch.zeros(1)}, path)
        with pytest.raises(DataError, match=f"is {words}.*, and no MG"):
            baselines.mg.load(path)
    config = MgConfig(widths=((2,), (3,)), levels=("1_1", "2_1"), head=(4,), embed=2, image_size=16)
    state = MgNetwork(config).state_dict()
    write(state, path, {})
    with pytest.raises(DataError, match="no config"):
        baselines.mg.load(path)
    write(state, path, {"config": config.to_json().replace('"kernel": 1', '"kernel": 2')})
    with pytest.raises(DataError, match=r"config of an MG network cannot be read \(.*odd side"):
        baselines.mg.load(path)
    write(state, path, {"config": config.to_json().replace('"legacy"', '"bicubic"')})
    with pytest.raises(DataError, match="resize is none of legacy, aligned"):
        baselines.mg.load(path)
    write(state, path, {"config": config.to_json()})
    assert baselines.mg.load(path).config == config
    from baselines.wwbl import load as load_wwbl

    with pytest.raises(DataError, match=r"a checkpoint of MG \(--method mg\), and no WWbL"):
        load_wwbl(path)
    (tmp_path / "vgg_16.ckpt").write_bytes(table({b"": tag(1, 1), b"x": b"y"}))
    with pytest.raises(DataError, match="first format"):
        baselines.mg.load(tmp_path / "vgg_16.ckpt")
    with pytest.raises(UsageError, match=r"there is no weights file .*models\.tar"):
        baselines.mg.load(tmp_path / "absent")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="broken or incomplete"):
        baselines.mg.load(path)
