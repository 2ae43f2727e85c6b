"""The method mg: ELMo's features from a file or words of its own, one encoding of an image, one line for each error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.mgs import save, small
from torch.nn.functional import interpolate

import baselines.mg
from baselines.mg import make
from baselines.mg.config import MgConfig
from baselines.mg.method import MultiGrounding
from baselines.mg.network import MgNetwork, drawn_mg
from risbench import DataError, UsageError, load_split
from risbench.methods.contract_check import check_method
from tris_model.files import write

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
WORDS = ["red", "circle", "left", "star"]
TEXTS = ["red circle", "left red star", "star"]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = MgConfig(
        widths=((4,), (6, 6), (8, 8)), levels=("2_1", "2_2", "3_1", "3_2"), batchnorm=True, image_size=32, head=(8,),
        text="bilstm", embed=4, vocabulary=len(WORDS) + 2,
    )  # fmt: skip
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("own") / "mg.safetensors"
    metadata = {"config": config.to_json(), "recipe": '{"split": "shapes_train"}', "vocabulary": json.dumps(WORDS)}
    write(drawn_mg(config).state_dict(), path, metadata)
    return path


@pytest.fixture(scope="module")
def method(own: Path) -> MultiGrounding:
    return make(weights=str(own))


def layers(texts: list[str], embed: int = 6) -> dict[str, Any]:
    """A file of features, as the page says it is made."""
    lengths = np.array([len(text.split()) for text in texts])
    draw = np.random.default_rng(5)
    shapes = {"words": embed, "lstm1": 2 * embed, "lstm2": 2 * embed}
    arrays = {name: draw.standard_normal((lengths.sum(), width)).astype(np.float16) for name, width in shapes.items()}
    return {"texts": np.array(texts), "lengths": lengths, **arrays}


def test_the_method_keeps_its_contract(method: MultiGrounding):
    findings = check_method(method, load_split("shapes_val"), 2)
    assert [finding for finding in findings if not finding.holds] == []
    assert method.card["trained_on"] == "drawn scenes"
    assert method.parameter_count > 0


def test_a_heat_is_the_query_map_of_the_files_features(tmp_path: Path):
    prefix = save(small(), tmp_path / "model")
    arrays = layers(TEXTS)
    np.savez(tmp_path / "elmo.npz", **arrays)
    method = make(weights=str(prefix), text=str(tmp_path / "elmo.npz"))
    network = baselines.mg.load(prefix)
    pixels = baselines.mg.prepare(PICTURE)[None]
    ends = np.cumsum(arrays["lengths"])
    answers = method.predict(PICTURE, ["  left   red star", "star", "", "red circle"])
    for at, text in ((0, 1), (1, 2), (3, 0)):
        rows = slice(ends[text] - arrays["lengths"][text], ends[text])
        given = [torch.from_numpy(arrays[name][rows][None].astype(np.float32)) for name in ("words", "lstm1", "lstm2")]
        with torch.inference_mode():
            maps = network.word_maps(pixels, *given)
        shares = maps.score / maps.score.sum()
        expected = (shares[0, :, None, None] * maps.heat[0]).sum(0)
        expected = (expected - expected.min()) / (expected.max() - expected.min())
        np.testing.assert_allclose(answers[at].heat, expected, atol=2e-5)
        large = interpolate(expected[None, None], size=(60, 90), mode="bilinear", align_corners=False)[0, 0]
        assert (answers[at].mask == (large > 0.3).numpy()).mean() > 0.999
    assert answers[2].heat is not None
    assert answers[2].heat.any() == False  # noqa: E712 - a text without words shows nothing
    assert (method.card["mix"], method.card["threshold"]) == ("thirds", 0.3)
    assert len(method.card["text"]) == 64


def test_many_texts_in_one_call_are_answered_as_alone_and_an_image_is_encoded_once(
    method: MultiGrounding, monkeypatch: pytest.MonkeyPatch
):
    texts = [*(f"{one} {other}" for one in WORDS for other in WORDS), "", "star " * 200, "strange words", "red circle"]
    alone = [method.predict(PICTURE, [text])[0].heat for text in texts[-5:]]
    counted, encode = [], MgNetwork.encode_image
    monkeypatch.setattr(MgNetwork, "encode_image", lambda self, images: counted.append(1) or encode(self, images))
    together = method.predict(PICTURE, texts)
    assert len(counted) == 1
    assert method.predict(PICTURE, []) == []
    for one, other in zip(alone, together[-5:], strict=True):
        np.testing.assert_allclose(one, other.heat, atol=1e-4)
    assert all(np.isfinite(one.heat).all() for one in together)


@pytest.mark.parametrize("size", [(1, 1), (16, 5000), (7, 3)])
def test_images_of_any_size_are_answered(method: MultiGrounding, size: tuple[int, int]):
    (answer,) = method.predict(np.zeros((*size, 3), np.uint8), ["a star"])
    assert answer.mask.shape == size


def test_what_is_missing_or_does_not_fit_is_one_line(own: Path, tmp_path: Path):
    prefix = str(save(small(), tmp_path / "model"))
    file = tmp_path / "elmo.npz"
    arrays = layers(TEXTS)
    np.savez(file, **arrays)

    def refused(kind: type[Exception], words: str, **options: Any) -> None:
        with pytest.raises(kind, match=words) as caught:
            make(**options)
        assert "\n" not in str(caught.value)

    refused(UsageError, r"mg needs weights: get the authors' models\.tar.*--set text=FILE\.npz")
    refused(UsageError, "needs weights", split="refcoco_val")
    refused(UsageError, r"read ELMo's layers: give its features .*--set text=FILE\.npz", weights=prefix)
    refused(UsageError, "ELMo's layers", weights=prefix, text="bilstm")
    refused(UsageError, "there is no file .*none.npz", weights=prefix, text="none.npz")
    refused(UsageError, "learnt words of their own", weights=str(own), text=str(file))
    refused(UsageError, "threshold=1: give", weights=str(own), threshold=1.0)
    with pytest.raises(DataError, match=r"has no features of 'blue star' \(1 of 2 texts are missing\)"):
        make(weights=prefix, text=str(file)).predict(PICTURE, ["star", "blue star"])
    for changed, words in (
        ({"lengths": arrays["lengths"][:2]}, "one whole number for each of the 3 texts"),
        ({"lengths": -arrays["lengths"]}, "one whole number"),
        ({"words": arrays["words"][:, :5]}, r"words is float16 \(6, 5\), and floats \(6, 6\) are needed"),
        ({"lstm1": arrays["lstm1"][:4]}, "lstm1 is float16"),
        ({"texts": np.array(TEXTS, object)}, "objects of Python"),
        ({"texts": np.arange(3)}, "an array of texts"),
    ):
        np.savez(file, **{**arrays, **changed})
        refused(DataError, words, weights=prefix, text=str(file))
    np.savez(file, **{name: value for name, value in arrays.items() if name != "lstm2"})
    refused(DataError, "has no array lstm2", weights=prefix, text=str(file))
    np.savez_compressed(file, **arrays)
    refused(DataError, r"compressed; write it with numpy\.savez", weights=prefix, text=str(file))
    file.write_bytes(b"no archive")
    refused(DataError, r"is no \.npz of ELMo's features", weights=prefix, text=str(file))
    arrays["words"][0] = np.inf
    np.savez(file, **arrays)
    with pytest.raises(DataError, match="not finite"):
        make(weights=prefix, text=str(file)).predict(PICTURE, ["red circle"])
