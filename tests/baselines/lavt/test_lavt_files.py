"""LAVT's files: every layout gives the same network, and what does not fit is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.lavts import SMALL, checkpoint_of, lavt, made_up_lavt, words_of

import baselines.lavt
from baselines.lavt.network import Lavt
from baselines.lavt.weights_file import load_with_origin
from risbench import DataError, UsageError
from tris_model import load_clip
from tris_model.files import write


@pytest.fixture(scope="module")
def network() -> Lavt:
    return lavt()


def same(one: Lavt, other: Lavt) -> bool:
    theirs = other.state_dict()
    return all(value.equal(theirs[key]) for key, value in one.state_dict().items())


LAYOUTS: dict[str, Callable[[Lavt], Any]] = {
    "lavt": checkpoint_of,
    "lavt with pooler and positions": lambda network: checkpoint_of(network, pooler=True, positions=True),
    "lavt_one": lambda network: checkpoint_of(network, "lavt_one"),
    "lavt_one with pooler and positions": lambda network: checkpoint_of(
        network, "lavt_one", pooler=True, positions=True
    ),
    "wrapped": lambda network: {
        part: {f"module.{key}": value for key, value in checkpoint_of(network)[part].items()}
        for part in ("model", "bert_model")
    },
    "one state dict alone": lambda network: network.state_dict(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_network(network: Lavt, tmp_path: Path, layout: str):
    path = tmp_path / "model_best_refcoco.pth"
    torch.save(LAYOUTS[layout](network), path)
    read = baselines.lavt.load(path)
    assert same(read, network)
    assert not read.training
    assert read.sizes.one is ("one" in layout)
    assert (read.sizes.window, read.sizes.depths, read.sizes.heads) == (3, (2, 2, 3, 2), (1, 2, 2, 4))
    assert all(weight.requires_grad for weight in read.parameters())  # the loss can be differentiated


def test_one_key_less_more_or_of_another_shape_is_named(network: Lavt, tmp_path: Path):
    path = tmp_path / "lavt.pth"

    def refused(part: str, change: dict[str, Any], message: str) -> None:
        held = checkpoint_of(network)
        held[part] = {key: value for key, value in {**held[part], **change}.items() if value is not None}
        torch.save(held, path)
        with pytest.raises(DataError, match=message):
            baselines.lavt.load(path)

    refused("model", {"backbone.norm2.bias": None}, r"1 missing \(backbone.norm2.bias\)")
    refused("model", {"backbone.extra": torch.zeros(2)}, r"1 unexpected \(backbone.extra\)")
    refused("model", {"classifier.conv1_1.bias": torch.zeros(3)}, r"conv1_1.bias \(3,\) instead of \(2,\)")
    refused("bert_model", {"encoder.layer.1.output.dense.bias": None}, r"1 missing \(text_encoder.encoder.layer.1")
    places = torch.zeros(9, 9, dtype=torch.int64)
    refused("model", {"backbone.layers.0.blocks.0.attn.relative_position_index": places}, "is not that of a window")


def test_a_lavt_without_bert_and_files_of_other_methods_are_refused_by_name(network: Lavt, tmp_path: Path):
    def refused(state: Any, message: str) -> None:
        torch.save(state, tmp_path / "x.pth")
        with pytest.raises(DataError, match=message) as caught:
            baselines.lavt.load(tmp_path / "x.pth")
        assert "\n" not in str(caught.value)

    refused({"model": checkpoint_of(network)["model"]}, "is a LAVT without its BERT")
    tensor = torch.zeros(2, 2)
    refused({"attention2.x": tensor}, "a checkpoint of TRIS")
    refused({"E.Org_model.0.weight": tensor, "D.up0.conv1.weight": tensor}, "a checkpoint of WWbL")
    refused({"resnet50_2.conv1.weight": tensor, "classifier2.weight": tensor}, "a checkpoint of AMR")
    refused({"img_encoder.x": tensor, "text_encoder.y": tensor}, "a checkpoint of GroupViT")
    refused({"patch_embed.proj.weight": tensor, "head.weight": tensor}, "a Swin transformer alone")
    refused(dict(network.text_encoder.state_dict()), "a BERT alone")
    refused({"x.y": tensor}, r"another network \(it begins with x.y\), and no LAVT")
    clip = load_clip("shapes")
    write(clip.state_dict(), tmp_path / "clip.safetensors", {"config": clip.config.to_json()})
    with pytest.raises(DataError, match=r"a CLIP \(--method clip_sim"):
        baselines.lavt.load(tmp_path / "clip.safetensors")
    with pytest.raises(UsageError, match=r"no weights file .*lavt needs weights: get one of the authors'"):
        baselines.lavt.load(tmp_path / "absent.pth")
    (tmp_path / "broken.pth").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match=r"broken\.pth"):
        baselines.lavt.load(tmp_path / "broken.pth")


def test_a_pickle_that_would_run_code_is_refused_by_the_name_it_calls(network: Lavt, tmp_path: Path):
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({**checkpoint_of(network), "args": Bomb()}, tmp_path / "x.pth")
    with pytest.raises(DataError, match="was not opened"):
        baselines.lavt.load(tmp_path / "x.pth")
    assert not (tmp_path / "ran").exists()


def test_a_vocabulary_is_checked_and_not_needed(network: Lavt, tmp_path: Path):
    path = made_up_lavt(tmp_path / "lavt.pth")
    assert baselines.lavt.load(path, tmp_path / "vocab.txt").sizes.bert.vocabulary == SMALL.bert.vocabulary
    (tmp_path / "vocab.txt").write_text("\n".join(words_of(20)) + "\n")
    with pytest.raises(DataError, match=f"has 20 words, but the weights know {SMALL.bert.vocabulary}"):
        baselines.lavt.load(path, tmp_path / "vocab.txt")
    with pytest.raises(UsageError, match="there is no vocabulary"):
        baselines.lavt.load(path, tmp_path / "absent.txt")


def test_a_file_of_ours_says_its_sizes_and_words(network: Lavt, tmp_path: Path):
    path = tmp_path / "ours.safetensors"
    kept = {"config": SMALL.to_json(), "vocabulary": '["[PAD]"]'}
    write(network.state_dict(), path, kept)
    with pytest.raises(DataError, match=r"no vocabulary of BERT: it has no line \[UNK\]"):
        load_with_origin(path)
    write(network.state_dict(), path, {**kept, "vocabulary": "["})
    with pytest.raises(DataError, match="without its vocabulary"):
        load_with_origin(path)
    write(network.state_dict(), path, {"config": '{"embed": 3}'})
    with pytest.raises(DataError, match="does not hold the sizes of a LAVT"):
        load_with_origin(path)


def test_several_heads_of_the_fusion_are_an_option_since_no_tensor_tells_them(network: Lavt, tmp_path: Path):
    path = made_up_lavt(tmp_path / "lavt.pth")
    images, ids = torch.randn(1, 3, 36, 36), torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        one, two = (baselines.lavt.load(path, mha=heads)(images, ids, ids > 0) for heads in ((1,) * 4, (2,) * 4))
    assert (one - two).abs().max() > 1e-3
