"""The method ``lavt``: heats and masks of made-up files and of the shipped network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.lavts import SMALL, WORDS, made_up_lavt
from PIL import Image

from baselines._bert import WordPiece
from baselines.lavt import load, make
from baselines.lavt import method as module
from risbench import DataError, UsageError, load_split
from risbench.methods.contract_check import check_method
from risbench.metrics.rules.lavt import nearest
from tris_model import preprocess

PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
TEXTS = ["the red circle", "leftmost dog", "the red circle", "", "blue " * 200]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_lavt(tmp_path_factory.mktemp("lavt") / "lavt.pth")


def test_the_heat_is_the_probability_at_480_and_the_mask_the_larger_logit(file: Path):
    answers = make(weights=str(file), size=64).predict(PICTURE, TEXTS)
    network, words = load(file), WordPiece(WORDS)
    for text, answer in zip(TEXTS, answers, strict=True):
        with torch.no_grad():
            patches = network.before_words(preprocess(PICTURE, 64)[None])
            logits = network.logits(patches, *words.tokenize([text]), (480, 480))[0]
        expected = 1 / (1 + np.exp((logits[0] - logits[1]).double().numpy()))
        np.testing.assert_allclose(answer.heat, expected, atol=1e-5)
        larger = Image.fromarray((answer.heat > 0.5).astype(np.uint8)).resize((90, 60), Image.Resampling.NEAREST)
        assert np.array_equal(answer.mask, np.asarray(larger) > 0)
    assert answers[0].heat.dtype == np.float32
    assert answers[0].heat.shape == (480, 480)
    assert np.array_equal(answers[0].heat, answers[2].heat)
    assert not np.allclose(answers[0].heat, answers[1].heat, atol=1e-3)


def test_the_authors_size_is_the_default_and_logits_are_those_of_the_network(file: Path):
    method = make(weights=str(file))
    assert method.card["size"] == 480
    network, words = load(file), WordPiece(WORDS)
    with torch.no_grad():
        logits = network(preprocess(PICTURE, 480)[None], *words.tokenize(["the dog"]))
    assert logits.shape == (1, 2, 480, 480)
    np.testing.assert_allclose(method.predict(PICTURE, ["the dog"])[0].heat, logits.softmax(1)[0, 1], atol=1e-5)


def test_the_rules_lavt_score_the_authors_mask_of_a_heat_and_of_a_large_images_mask(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    heat = torch.rand(1, 480, 480, generator=torch.Generator().manual_seed(0))
    for answer in ("both", "heat"):
        method = make(weights=str(file), size=64, answer=answer)
        monkeypatch.setattr(method, "_heats", lambda patches, texts: heat)
        for height, width in ((512, 640), (480, 481)):
            (given,) = method.predict(np.zeros((height, width, 3), np.uint8), ["the dog"])
            assert (given.mask is None) is (answer == "heat")
            observed = given.heat > 0.5 if given.mask is None else nearest(given.mask)
            assert np.array_equal(observed, heat[0].numpy() > 0.5)


def test_under_the_rules_lavt_the_heat_alone_is_given_unless_the_user_wants_the_mask(file: Path):
    for rules, answer, has_mask in (("lavt", None, False), ("lavt", "both", True), ("tris", None, True)):
        (given,) = make(weights=str(file), size=64, rules=rules, answer=answer).predict(PICTURE, ["the dog"])
        assert (given.mask is not None) is has_mask


def test_it_keeps_the_contract(file: Path):
    findings = check_method(make(weights=str(file), size=64), load_split("shapes_val"), images=2)
    assert [one for one in findings if one.holds is False] == []


def test_expressions_are_answered_alike_alone_together_and_in_parts(file: Path, monkeypatch: pytest.MonkeyPatch):
    method = make(weights=str(file), size=64)
    together = method.predict(PICTURE, TEXTS)
    monkeypatch.setattr(method, "_together", 1)
    for one, other in zip(together, method.predict(PICTURE, TEXTS), strict=True):
        np.testing.assert_allclose(one.heat, other.heat, atol=1e-5)
    assert method.predict(PICTURE, []) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (16, 5000)])
def test_images_of_any_shape_are_answered_at_their_size(file: Path, shape: tuple[int, int]):
    image = np.zeros((*shape, 3), np.uint8)
    (answer,) = make(weights=str(file), size=48).predict(image, ["a dog"])
    assert answer.mask.shape == shape
    assert np.isfinite(answer.heat).all()


def test_an_image_is_begun_once_for_all_its_expressions(file: Path, monkeypatch: pytest.MonkeyPatch):
    method = make(weights=str(file), size=64)
    begun = []
    begin = method._network.before_words
    monkeypatch.setattr(method._network, "before_words", lambda images: begun.append(len(images)) or begin(images))
    method.predict(PICTURE, TEXTS)
    assert begun == [1]


def test_the_card_says_what_was_read(file: Path):
    card = make(weights=str(file), size=64, mha="2-2-2-2").card
    assert card["supervision"] == "mask"
    assert card["threshold"] == 0.5
    assert (card["variant"], card["size"], card["mha"]) == ("lavt", 64, "2-2-2-2")
    assert len(card["weights"]) == 64
    assert "each expression" in card["note"]
    assert module.CARD["weights"] is None


def test_what_does_not_fit_is_refused_in_a_line(file: Path, tmp_path: Path):
    for options, message in (
        ({}, "lavt needs weights"),
        ({"split": "refcoco_val"}, "lavt needs weights"),
        ({"weights": str(file), "answer": "mask"}, "answer=mask: give both or heat"),
        ({"weights": str(file), "size": 32}, "size=32: give a number of pixels from 33 to 2048"),
        ({"weights": str(file), "mha": "4"}, "mha=4: give four numbers of heads"),
        ({"weights": str(file), "vocab": str(tmp_path / "absent.txt")}, "there is no vocabulary"),
    ):
        with pytest.raises(UsageError, match=message):
            make(**options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no LAVT can be built"):
        make(weights=str(file), mha="3-3-3-3")
    alone = made_up_lavt(tmp_path / "alone.pth", sizes=SMALL, words=False)
    with pytest.raises(
        UsageError, match=r"needs BERT's vocabulary, and there is no .*vocab.txt: pass --set vocab=FILE"
    ):
        make(weights=str(alone))
