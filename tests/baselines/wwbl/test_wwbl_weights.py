"""WWbL's file: the authors' pickled network through the converter alone, their state dict, ours, and refusals."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
import torch
from helpers.commands import Ask
from helpers.wwbls import MultiModel, made_up, save_module
from safetensors import safe_open
from torch import Tensor
from torch.nn.functional import normalize

import baselines.wwbl
from baselines.wwbl.converter import converter
from baselines.wwbl.network import WWbLConfig, WWbLNetwork
from risbench import DataError, UsageError
from tris_model import digest
from tris_model.files import module_class, write

SMALL = WWbLConfig(widths=((4,), (8, 8)), up=5, image_size=16)


@pytest.fixture(scope="module")
def theirs() -> MultiModel:
    return made_up()


@pytest.fixture(scope="module")
def pickled(theirs: MultiModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_module(theirs, tmp_path_factory.mktemp("authors") / "net_best.pth")


@pytest.fixture(scope="module")
def converted(pickled: Path) -> Path:
    out = pickled.with_name("wwbl.safetensors")
    converter.convert(pickled, out)
    return out


def maps(network: torch.nn.Module) -> Tensor:
    torch.manual_seed(5)
    with torch.inference_mode():
        return network(torch.randn(1, 3, 40, 40), normalize(torch.randn(1, 512), dim=1))


def test_the_authors_pickled_network_is_converted_bit_for_bit(theirs: MultiModel, pickled: Path, converted: Path):
    with safe_open(converted, framework="pt") as file:
        keys = set(file.keys())
        for key, value in theirs.state_dict().items():
            assert torch.equal(file.get_tensor(key), value), key
        metadata = file.metadata()
    assert keys == set(theirs.state_dict())
    assert len(keys) == 62
    assert metadata["source"] == "net_best.pth"
    assert metadata["source_sha256"] == digest(pickled)
    network = baselines.wwbl.load(converted)
    assert not network.training
    assert network.config.image_size == 224  # not the 304 of training that lies in the pickle
    torch.testing.assert_close(maps(network), maps(theirs)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("prefix", ["", "module.", "module.module."])
@pytest.mark.parametrize("entry", [None, "state_dict"])
def test_a_state_dict_loads_with_or_without_the_wrappers_word(
    theirs: MultiModel, tmp_path: Path, prefix: str, entry: str | None
):
    state = {prefix + key: value for key, value in theirs.state_dict().items()}
    torch.save(state if entry is None else {entry: state, "epoch": 3}, tmp_path / "state.pth")
    network = baselines.wwbl.load(tmp_path / "state.pth")
    for key, value in theirs.state_dict().items():
        assert torch.equal(network.state_dict()[key], value)


def test_the_command_finds_the_reader_by_the_file(ask: Ask, pickled: Path, tmp_path: Path):
    result = ask("weights", "convert", pickled, tmp_path / "out.safetensors")
    assert result.code == 0, result.err
    result = ask("weights", "show", tmp_path / "out.safetensors", "--json")
    shown = json.loads(result.out)
    assert (shown["method"], shown["kind"], shown["keys"], shown["parameters"]) == (
        "wwbl", "safetensors", 62, 17_083_215,
    )  # fmt: skip
    assert shown["metadata"]["source"] == "net_best.pth"
    assert json.loads(ask("weights", "show", pickled, "--json").out)["kind"] == "pickled module"
    back = ask("weights", "convert", tmp_path / "out.safetensors", tmp_path / "back.pth")
    assert back.code == 0, back.err
    assert baselines.wwbl.load(tmp_path / "back.pth").config == WWbLConfig()
    assert json.loads(ask("weights", "show", "shapes", "--json").out)["stage"] == 2  # TRIS's, as before


def test_load_names_the_command_for_the_pickled_network(pickled: Path):
    with pytest.raises(DataError, match=r"whole pickled network.*run `risbench weights convert .*net_best\.pth"):
        baselines.wwbl.load(pickled)


def test_a_pickle_that_carries_code_is_refused_by_its_name_and_nothing_runs(ask: Ask, tmp_path: Path):
    class Runs:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    network = made_up()
    network.D.up0.Upsample.mode = Runs()  # type: ignore[assignment]
    path = save_module(network, tmp_path / "bad.pth")
    result = ask("weights", "convert", path, "bad.safetensors")
    assert result.code == 1
    (line,) = result.err.strip().splitlines()
    assert f"it names {os.name}.system, which is no part of WWbL's network and might run code" in line
    assert "nothing was executed" in line
    with pytest.raises(DataError, match="risbench weights convert"):
        baselines.wwbl.load(path)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "bad.safetensors").exists()


def test_files_that_do_not_fit_are_named(theirs: MultiModel, tmp_path: Path, ask: Ask):
    state = dict(theirs.state_dict())
    path = tmp_path / "cut.pth"
    torch.save(
        {**{key: value for key, value in state.items() if key != "D.up0.BN1.bias"}, "D.more": torch.zeros(1),
         "E.Org_model.0.bias": torch.zeros(7)}, path,
    )  # fmt: skip
    with pytest.raises(
        DataError, match=r"of 62 keys 1 missing \(D.up0.BN1.bias\); 1 unexpected \(D.more\); 1 of the wrong shape"
    ):
        baselines.wwbl.load(path)
    for key, words in (
        ("backbone.layers.0.fusion.vis_project.0.weight", "a checkpoint of LAVT"),
        ("resnet50_2.conv1.weight", "a checkpoint of AMR"),
        ("attn_fusion.weight", "a checkpoint of TRIS"),
        ("visual.class_embedding", "a CLIP"),
        ("features.0.weight", "a VGG of torchvision"),
        ("something.weight", "a file of another network"),
    ):
        torch.save({key: torch.zeros(2), "more.weight": torch.zeros(1)}, path)
        with pytest.raises(DataError, match=f"is {words}.*, and no WWbL"):
            baselines.wwbl.load(path)
    result = ask("weights", "convert", path, "x.safetensors", "--of", "wwbl")
    assert result.code == 1
    assert "and no WWbL" in result.err
    path.write_text("not found\n")
    with pytest.raises(DataError, match="is a text without weights"):
        baselines.wwbl.load(path)
    with pytest.raises(UsageError, match=r"there is no weights file .*net_best\.pth.*ViT-B/32"):
        baselines.wwbl.load(tmp_path / "absent.pth")
    with pytest.raises(UsageError, match=r"must end in \.safetensors or \.pth"):
        converter.convert(path, tmp_path / "x.bin")


def test_our_files_have_sizes_of_their_own(tmp_path: Path):
    network = WWbLNetwork(SMALL)
    write(network.state_dict(), tmp_path / "small.safetensors", {"config": SMALL.to_json()})
    assert baselines.wwbl.load(tmp_path / "small.safetensors").config == SMALL
    huge = json.dumps({**json.loads(SMALL.to_json()), "widths": [[4] * 100]})
    write(network.state_dict(), tmp_path / "huge.safetensors", {"config": huge})
    with pytest.raises(DataError, match="too few for the convolutions"):
        baselines.wwbl.load(tmp_path / "huge.safetensors")


def test_an_archive_that_promises_more_than_it_holds_is_no_network(tmp_path: Path):
    path = tmp_path / "cut.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + bytes(98))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")  # the directory's entry: sizes packed and unpacked at 20 and 24
    raw[at + 20 : at + 28] = (5000).to_bytes(4, "little") * 2
    path.write_bytes(raw)
    assert module_class(path) is None
    assert not converter.claims(path)
