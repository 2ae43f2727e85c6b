"""GbS's files: every layout gives the same networks, and what does not fit is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.gbss import SMALL, WORDS, checkpoint_of, gbs, made_up_gbs

import baselines.gbs
import baselines.lavt
import baselines.wwbl
from baselines.gbs.model import GbsModel
from baselines.gbs.weights_file import load_with_origin
from risbench import DataError, UsageError
from tris_model.files import write


@pytest.fixture(scope="module")
def model() -> GbsModel:
    return gbs()


def prefixed(model: GbsModel, prefix: str) -> dict[str, Any]:
    held = checkpoint_of(model)
    return {**held, "model_state_dict": {prefix + key: value for key, value in held["model_state_dict"].items()}}


LAYOUTS: dict[str, Callable[[GbsModel], Any]] = {
    "the authors'": checkpoint_of,
    "old names": lambda model: checkpoint_of(model, old=True),
    "without BERT": lambda model: checkpoint_of(model, bert=False),
    "wrapped": lambda model: prefixed(model, "module."),
    "compiled and wrapped": lambda model: prefixed(model, "module._orig_mod."),
    "state dict alone": lambda model: checkpoint_of(model)["model_state_dict"],
    "image network alone": lambda model: model.image_model.state_dict(),
    "under another entry": lambda model: {"weights_of_last": checkpoint_of(model)["model_state_dict"]},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_network(model: GbsModel, tmp_path: Path, layout: str):
    path = tmp_path / "checkpoint.dict.best_val"
    torch.save(LAYOUTS[layout](model), path)
    net = baselines.gbs.load(path)
    expected = model.image_model.state_dict()
    assert all(value.equal(expected[key]) for key, value in net.state_dict().items())
    assert not net.training
    assert (net.config.widths, net.config.decoder, net.config.bottleneck) == (
        SMALL.widths, SMALL.decoder, SMALL.bottleneck,
    )  # fmt: skip
    assert next(net.backbone.parameters()).requires_grad  # the losses can be differentiated
    loaded = load_with_origin(path)
    assert (loaded.bert is None) == (layout in ("without BERT", "image network alone"))
    if loaded.bert is not None:
        theirs = model.bert.state_dict()
        assert all(value.equal(theirs[key]) for key, value in loaded.bert.state_dict().items())


def test_one_key_less_more_or_of_another_shape_is_named(model: GbsModel, tmp_path: Path):
    def refused(change: dict[str, Any], message: str) -> None:
        held = checkpoint_of(model)
        state = {**held["model_state_dict"], **{f"model.{key}": value for key, value in change.items()}}
        held["model_state_dict"] = {key: value for key, value in state.items() if value is not None}
        torch.save(held, tmp_path / "x.dict")
        with pytest.raises(DataError, match=message) as caught:
            baselines.gbs.load(tmp_path / "x.dict")
        assert "\n" not in str(caught.value)

    refused({"image_model.last_conv.weight": None}, r"as GbS: of \d+ keys 1 missing \(last_conv.weight\)")
    refused({"image_model.extra": torch.zeros(2)}, r"1 unexpected \(extra\)")
    refused({"image_model.scale_conv.weight": torch.zeros(64, 8, 1, 1)}, r"scale_conv.weight \(64, 8, 1, 1\) instead")
    refused(
        {"caption_model.model.encoder.layer.1.output.dense.bias": None}, r"GbS's BERT: .*1 missing \(encoder.layer.1"
    )


def test_settings_beside_the_weights_are_obeyed_or_contradicted(model: GbsModel, tmp_path: Path):
    path = tmp_path / "checkpoint.dict"
    torch.save(checkpoint_of(model, img2txt=False), path)
    assert not baselines.gbs.load(path).config.img2txt
    torch.save({**checkpoint_of(model), "decoder_depths": (9, 5)}, path)
    with pytest.raises(DataError, match=r"its decoder_depths are \[9, 5\], but its tensors are those of \[9\]"):
        baselines.gbs.load(path)
    torch.save({**checkpoint_of(model), "backbone": "pnasnet5large"}, path)
    with pytest.raises(DataError, match="a GbS whose trunk is 'pnasnet5large'; only the one on VGG16"):
        baselines.gbs.load(path)


def test_files_of_other_methods_are_refused_by_name_and_a_gbs_is_named_by_others(model: GbsModel, tmp_path: Path):
    def refused(state: Any, message: str) -> None:
        torch.save(state, tmp_path / "x.pth")
        with pytest.raises(DataError, match=message) as caught:
            baselines.gbs.load(tmp_path / "x.pth")
        assert "\n" not in str(caught.value)

    tensor = torch.zeros(2, 2)
    refused({"attention2.x": tensor}, r"a checkpoint of TRIS \(--method tris\), and no GbS")
    refused({"E.Org_model.0.weight": tensor}, "a checkpoint of WWbL")
    refused({"resnet50_2.conv1.weight": tensor}, "a checkpoint of AMR")
    refused({"x.y": tensor}, r"another network \(it begins with x.y\)")
    refused(model.bert.state_dict(), "a BERT alone")
    with pytest.raises(UsageError, match=r"no weights file .*gbs needs weights, and its authors .* published none"):
        baselines.gbs.load(tmp_path / "absent.pth")
    (tmp_path / "broken.pth").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match=r"broken\.pth"):
        baselines.gbs.load(tmp_path / "broken.pth")
    whole = made_up_gbs(tmp_path / "checkpoint.dict")
    for other in (baselines.wwbl.load, baselines.lavt.load):
        with pytest.raises(DataError, match=r"is a checkpoint of GbS \(--method gbs\), and no"):
            other(whole)
    whole.write_bytes(whole.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"checkpoint\.dict"):
        baselines.gbs.load(whole)


def test_a_pickle_that_would_run_code_is_refused_by_the_name_it_calls(model: GbsModel, tmp_path: Path):
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({**checkpoint_of(model), "args": Bomb()}, tmp_path / "x.pth")
    with pytest.raises(DataError, match="was not opened"):
        baselines.gbs.load(tmp_path / "x.pth")
    assert not (tmp_path / "ran").exists()


def test_names_of_a_billionth_layer_ask_for_no_memory(model: GbsModel, tmp_path: Path):
    state = dict(checkpoint_of(model, bert=False)["model_state_dict"])
    state["model.image_model.decoder_blocks.999999999.conv0.weight"] = torch.zeros(9, 9, 1, 1)
    state["model.image_model.backbone.layers.999999999.weight"] = torch.zeros(9, 9, 1, 1)
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(DataError, match="as GbS: of"):
        baselines.gbs.load(tmp_path / "x.pth")


def test_a_file_of_ours_says_its_sizes_and_words(model: GbsModel, tmp_path: Path):
    path = tmp_path / "ours.safetensors"
    kept = {"config": SMALL.to_json(), "vocabulary": json.dumps(WORDS)}
    write(model.state_dict(), path, kept)
    loaded = load_with_origin(path)
    assert loaded.words is not None
    assert loaded.words.words == WORDS
    write(model.state_dict(), path, {**kept, "vocabulary": "["})
    with pytest.raises(DataError, match="whose vocabulary cannot be read"):
        load_with_origin(path)
    write(model.state_dict(), path, {**kept, "vocabulary": json.dumps(WORDS[:-1])})
    with pytest.raises(DataError, match="has 13 words, but its weights know 14"):
        load_with_origin(path)
    write(model.state_dict(), path, {**kept, "config": '{"kind": "wwbl"}'})
    with pytest.raises(DataError, match=r"ours\.safetensors: the config of a GbS network cannot be read"):
        load_with_origin(path)
