"""The method gbs: one encoding of an image, two maps for every text, one line for each error."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.gbss import SMALL, WORDS, gbs, made_up_gbs
from torch.nn.functional import interpolate

from baselines._bert import WordPiece
from baselines.gbs import fuse, prepare
from baselines.gbs.captions import tokenize
from baselines.gbs.method import CARD, GbsMethod, make
from baselines.gbs.network import GbsNetwork
from risbench import DataError, UsageError, load_split
from risbench.methods.contract_check import check_method
from tris_model import digest
from tris_model.files import write

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
TEXTS = ["the red circle", "blue dog on the left", "leftmost unknown"]
OURS = replace(SMALL, image_size=64, words_side=8, border=(0, 0))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_gbs(tmp_path_factory.mktemp("gbs") / "checkpoint.dict")


@pytest.fixture(scope="module")
def method(weights: Path) -> GbsMethod:
    return make(weights=str(weights), size=256)


def test_a_heat_is_the_root_of_both_maps_of_the_mean_of_berts_words(method: GbsMethod):
    model = gbs()
    words = WordPiece(WORDS)
    pixels = prepare(PICTURE, 256)[None]
    for text, answer in zip(TEXTS, method.predict(PICTURE, TEXTS), strict=True):
        ids = torch.tensor([words.encode(text)])
        with torch.inference_mode():
            hidden = model.bert(ids, torch.ones_like(ids))
            raw = model.image_model(pixels, hidden[:, 1:-1].mean(1))
            mask = torch.zeros_like(ids)
            mask[:, [0, -1]] = 1
            expected = fuse(raw[0, 0], model.image_model.words_map(pixels, hidden, mask)[0, 0])
            large = interpolate(expected[None, None], size=(60, 90), mode="bilinear", align_corners=False)[0, 0]
        assert expected.max() > 0
        np.testing.assert_allclose(answer.heat, expected, atol=1e-5)
        assert answer.heat.shape == (16, 24)
        assert (answer.mask == (large > 0.5).numpy()).mean() > 0.999


def test_words_are_told_from_special_tokens_and_padding():
    words = WordPiece(WORDS)
    ids, mask = tokenize(words, ["red dog", "", "leftmost\nred\u2019 [SEP] [PAD] zebra", "red " * 200], 12)
    assert mask.tolist() == [
        [1, 0, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2],
        [1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2],
        [1, 0, 0, 0, 0, 1, 2, 0, 1, 2, 2, 2],
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ]
    assert ids[2, :9].tolist() == [2, 8, 9, 6, 1, 3, 0, 1, 3]
    assert ids[3, -1] == 3


def test_one_map_alone_can_be_the_heat(weights: Path, tmp_path: Path):
    heats = {
        maps: make(weights=str(weights), size=64, maps=maps).predict(PICTURE, TEXTS[:1])[0].heat  # type: ignore[arg-type]
        for maps in ("separation", "words")
    }
    assert heats["separation"].shape == (4, 6)
    assert heats["words"].shape == (32, 32)
    assert make(weights=str(weights), maps="words").card["maps"] == "words"
    without = made_up_gbs(tmp_path / "x.dict", img2txt=False)
    assert make(weights=str(without)).card["maps"] == "separation"
    with pytest.raises(UsageError, match="was trained without the branch of words"):
        make(weights=str(without), maps="both")


def test_the_method_keeps_its_contract(tmp_path: Path):
    path = tmp_path / "ours.safetensors"
    kept = {"config": OURS.to_json(), "vocabulary": json.dumps(WORDS), "recipe": '{"split": "shapes_train"}'}
    write(gbs(OURS).state_dict(), path, kept)
    method = make(weights=str(path))
    findings = check_method(method, load_split("shapes_val"), 2)
    assert [finding for finding in findings if not finding.holds] == []
    card = method.card
    assert (card["weights"], card["trained_on"], card["size"]) == (digest(path), "drawn scenes", 64)
    assert method.parameter_count == sum(weight.numel() for weight in gbs(OURS).parameters())


def test_many_texts_in_one_call_are_answered_as_alone_and_an_image_is_encoded_once(
    method: GbsMethod, monkeypatch: pytest.MonkeyPatch
):
    texts = [f"{text} {number}" for number in range(9) for text in TEXTS] + ["", "red " * 200, TEXTS[0]]
    alone = [method.predict(PICTURE, [text])[0].heat for text in (texts[0], texts[-3], texts[-2])]
    counted, encode, pixels = [], GbsNetwork.encode, GbsNetwork.pixels
    monkeypatch.setattr(GbsNetwork, "encode", lambda self, images: counted.append("image") or encode(self, images))
    monkeypatch.setattr(GbsNetwork, "pixels", lambda self, levels: counted.append("levels") or pixels(self, levels))
    together = method.predict(PICTURE, texts)
    assert counted == ["image", "levels"]
    assert method.predict(PICTURE, []) == []
    for one, at in zip(alone, (0, -3, -2), strict=True):
        np.testing.assert_allclose(one, together[at].heat, atol=1e-5)
    assert together[-3].heat.max() == 0  # a text without words is nowhere
    assert all(np.isfinite(one.heat).all() for one in together)


@pytest.mark.parametrize("size", [(1, 1), (16, 5000), (7, 3)])
def test_images_of_any_size_are_answered(weights: Path, size: tuple[int, int]):
    (answer,) = make(weights=str(weights), size=64).predict(np.zeros((*size, 3), np.uint8), ["red dog"])
    assert answer.mask.shape == size
    assert np.isfinite(answer.heat).all()


def test_what_is_missing_or_does_not_fit_is_said_in_one_line(weights: Path, tmp_path: Path):
    lines = []

    def refused(kind: type[Exception], words: str, **options: object) -> None:
        with pytest.raises(kind, match=words) as caught:
            make(**options)  # type: ignore[arg-type]
        lines.append(str(caught.value))

    refused(UsageError, r"gbs needs weights, and its authors \(github.*\) published none: pass --weights FILE")
    refused(UsageError, "gbs needs weights", split="refcoco_val")
    refused(UsageError, "size=31: give a number of pixels from 32 to 2048", weights=str(weights), size=31)
    refused(UsageError, "threshold=1: give", weights=str(weights), threshold=1.0)
    refused(UsageError, "maps=x: give both, separation or words", weights=str(weights), maps="x")
    refused(UsageError, "holds its own BERT; leave bert out", weights=str(weights), bert="model.safetensors")
    refused(UsageError, "there is no vocabulary", weights=str(weights), vocab="absent.txt")
    other = tmp_path / "vocab.txt"
    other.write_text("\n".join(WORDS[:-1]) + "\n")
    refused(DataError, "has 13 words, but the weights know 14", weights=str(weights), vocab=str(other))
    other.unlink()
    alone = made_up_gbs(tmp_path / "x.dict", words=False)
    refused(UsageError, r"gbs needs BERT's vocabulary, and there is no .*vocab\.txt", weights=str(alone))
    image = made_up_gbs(tmp_path / "image.dict", bert=False)
    refused(UsageError, r"holds no BERT; pass the one that it was trained with, --set bert=FILE", weights=str(image))
    assert all("\n" not in line for line in lines)


def test_a_file_of_the_image_network_alone_takes_the_bert_that_is_given(weights: Path, tmp_path: Path):
    model = gbs()
    image, bert = made_up_gbs(tmp_path / "image.dict", bert=False), tmp_path / "bert.bin"
    torch.save(model.bert.state_dict(), bert)
    one = make(weights=str(image), bert=str(bert), size=64).predict(PICTURE, TEXTS)
    for a, b in zip(one, make(weights=str(weights), size=64).predict(PICTURE, TEXTS), strict=True):
        np.testing.assert_array_equal(a.heat, b.heat)
    wide = replace(SMALL, bert=replace(SMALL.bert, width=128, heads=2))
    torch.save(gbs(wide).bert.state_dict(), bert)
    with pytest.raises(UsageError, match=r"has vectors of 128 numbers, but .* was trained with 64"):
        make(weights=str(image), bert=str(bert))


def test_the_card_names_the_paper_and_its_supervision():
    assert CARD["supervision"] == "text"
    assert CARD["threshold"] == 0.5
    assert CARD["weights"] is None
