"""The check of a method finds each way in which one can be broken, and passes good ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from helpers.small import small_split
from made_up.methods import Batches, Heats, Masks, heat_for

from risbench import DataError, Prediction, Sample, Split
from risbench.methods.contract_check import Finding, check_method

CARD, SCORED, IMAGE, KEPT, SAME, ALONE, ORDER, MANY, ODD, SMALL = (
    "the card can be stored and has what tables need",
    "predict returns a mask or a heat that can be scored for each text",
    "predict does not change the image",
    "a prediction does not change during the next call",
    "the same call gives the same predictions",
    "a prediction does not depend on the other texts of the call",
    "a prediction does not depend on the order of the texts",
    "predict_many agrees with predict",
    "predict accepts empty, long and unusual texts",
    "predict accepts a small and narrow image",
)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 4)


def _failed(method: Any, split: Split) -> dict[str, str]:
    """What was seen, by the claims that do not hold; the line of code is `tests/risbench/test_faults.py`'s matter."""
    findings = check_method(method, split)
    assert [finding.claim for finding in findings] == [CARD, SCORED, IMAGE, KEPT, SAME, ALONE, ORDER, MANY, ODD, SMALL]
    assert all(finding.holds == (not finding.detail) for finding in findings if finding.holds is not None)
    return {
        finding.claim: re.sub(r" \(\S+:\d+ in \w+\)$", "", finding.detail)
        for finding in findings
        if finding.holds is False
    }


class Made(Heats):
    """A method of one function."""

    def __init__(self, answer: Callable[[np.ndarray, list[str]], Any], card: Any = Heats.card) -> None:
        super().__init__()
        self._answer, self.card = answer, card

    def predict(self, image: np.ndarray, texts: list[str]) -> Any:
        return self._answer(image, texts)


def _heats(image: np.ndarray, texts: list[str]) -> list[Any]:
    return [heat_for(image, text) for text in texts]


class Reading(Heats):
    card = MappingProxyType({**Heats.card, "reads": ("box",)})

    def predict(self, image: np.ndarray, texts: list[str], *, samples: Sequence[Sample]) -> Any:
        return [Prediction(mask=np.ones(sample.size, bool), point=(1.5, 2.5)) for sample in samples]


@pytest.mark.parametrize("method", [Heats(), Masks(), Batches(), Reading(), Made(_heats)])
def test_a_good_method_passes(split: Split, method: Any):
    assert _failed(method, split) == {}


def test_noise_of_float32_between_batches_passes_and_more_does_not(split: Split):
    def scaled(by: float) -> Callable[[np.ndarray, list[str]], Any]:
        return lambda image, texts: [heat * np.float32(1 + by * len(texts)) for heat in _heats(image, texts)]

    assert _failed(Made(scaled(1e-6)), split) == {}
    assert ALONE in _failed(Made(scaled(1e-3)), split)


@pytest.mark.parametrize(
    ("card", "result"),
    [
        (None, "no card: give the method a mapping `card`"),
        ({}, "no card"),
        ({"supervision": "none"}, "card['grade'] is None; it must be one of native, hosted, external"),
        ({"grade": "best", "supervision": "none"}, "card['grade'] is 'best'"),
        ({"grade": "native"}, "card['supervision'] is missing"),
        ({"grade": "native", "supervision": "none", "threshold": "high"}, "card['threshold'] is 'high'"),
        ({"grade": "native", "supervision": "none", "threshold": True}, "card['threshold'] is True"),
        ({"grade": "native", "supervision": "none", "paper": Path()}, "the card holds a value that JSON cannot store"),
        (["grade"], "the method's card must be a mapping, not list"),
    ],
)
def test_a_card_that_says_too_little_is_found(split: Split, card: Any, result: str):
    assert result in _failed(Made(_heats, card), split)[CARD]


def test_other_claims_are_judged_whatever_the_card_is(split: Split):
    assert set(_failed(Made(_heats, {}), split)) == {CARD}


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (lambda image, texts: _heats(image, texts)[1:], "predict returned {} predictions for {} texts"),
        (lambda image, texts: heat_for(image, texts[0]), "predict returned 5 predictions for {1} texts"),
        (lambda image, texts: None, "one prediction per text, got NoneType"),
        (lambda image, texts: [heat * np.nan for heat in _heats(image, texts)], "its heat holds NaN"),
        (lambda image, texts: [np.ones((2, 2), bool)] * len(texts), "its mask is 2x2, the image is"),
        (lambda image, texts: [image.mean(2).astype(int)] * len(texts), "a mask is bool, a heat is float"),
        (lambda image, texts: ["mask"] * len(texts), "is str; give a bool array"),
        (lambda image, texts: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_an_answer_that_cannot_be_scored_is_found(split: Split, answer: Any, result: str):
    count = len(next(split.by_image()))
    assert result.format(count - 1, count) in _failed(Made(answer), split)[SCORED]


@pytest.mark.parametrize("write", [lambda image: image.fill(0), lambda image: np.invert(image, out=image)])
def test_writing_into_the_image_is_found(split: Split, write: Callable[[np.ndarray], Any]):
    def answer(image: np.ndarray, texts: list[str]) -> Any:
        answers = _heats(image, texts)
        write(image)
        return answers

    assert _failed(Made(answer), split) == {IMAGE: "predict wrote into the image it was given"}


def test_answering_with_memory_that_is_used_again_is_found(split: Split):
    buffer = np.zeros((8, 5, 7), np.float32)

    def answer(image: np.ndarray, texts: list[str]) -> Any:
        for place, heat in enumerate(_heats(image, texts)):
            buffer[place] = heat
        return list(buffer[: len(texts)])

    failed = _failed(Made(answer), split)
    assert set(failed) == {KEPT}
    assert "return arrays that predict will not write into again" in failed[KEPT]


def test_chance_without_a_seed_is_found(split: Split):
    chance = np.random.default_rng(0)
    failed = _failed(Made(lambda image, texts: [chance.random((4, 5)) for _ in texts]), split)
    assert set(failed) == {SAME, ALONE, ORDER}
    assert failed[SAME].startswith("refcoco_val/")
    assert failed[SAME].endswith("not the same heat")


def test_dependence_on_the_company_is_found(split: Split):
    def softmax(image: np.ndarray, texts: list[str]) -> Any:
        heats = np.exp(_heats(image, texts))
        return list((heats / heats.sum(axis=0)).astype(np.float32))

    assert set(_failed(Made(softmax), split)) == {ALONE}


def test_dependence_on_the_order_is_found(split: Split):
    def padded(image: np.ndarray, texts: list[str]) -> Any:
        return [heat + np.float32(texts[0] != text) for heat, text in zip(_heats(image, texts), texts, strict=True)]

    assert set(_failed(Made(padded), split)) == {ALONE, ORDER}


def test_answers_that_differ_in_kind_point_or_box_are_found(split: Split):
    def by_company(one: dict[str, Any], many: dict[str, Any]) -> Made:
        mask_of = np.ones
        return Made(
            lambda image, texts: (
                [Prediction(mask=mask_of(image.shape[:2], bool), **(one if len(texts) == 1 else many))] * len(texts)
            )
        )

    box, other = np.array([[0.0, 0, 4, 4]]), np.array([[0.0, 0, 4, 5]])
    for one, many, result in (
        ({"point": (1.5, 2)}, {"point": (1.5, 3)}, "not the same point"),
        ({"point": (1.5, 2)}, {}, "not the same point"),
        ({"boxes": box}, {"boxes": other}, "not the same boxes"),
        ({"boxes": box}, {}, "boxes of another type or shape"),
        ({"heat": np.ones((2, 2))}, {"heat": np.ones((2, 3))}, "heat of another type or shape"),
    ):
        failed = _failed(by_company(one, many), split)
        assert set(failed) == {ALONE}
        assert result in failed[ALONE]


@pytest.mark.parametrize(
    ("turn", "result"),
    [
        (lambda many: many[::-1], "predictions for"),
        (lambda many: [each[::-1] for each in many], "not the same heat"),
        (lambda many: many[:-1], "predict_many returned 2 answers for 3 images"),
        (
            lambda many: iter(many),
            "predict_many returned list_iterator; it must return a list with one answer for each image",
        ),
        (lambda many: [each[:-1] for each in many], "predictions for"),
        (lambda many: [[heat + 1 for heat in each] for each in many], "not the same heat"),
    ],
)
def test_a_batch_that_answers_otherwise_is_found(split: Split, turn: Any, result: str):
    class Wrong(Batches):
        def predict_many(self, images: Any, texts: Any) -> Any:
            return turn(super().predict_many(images, texts))

    failed = _failed(Wrong(), split)
    assert set(failed) == {MANY}
    assert result in failed[MANY]


def test_a_batch_that_writes_into_its_images_is_found_and_spoils_no_other_question(split: Split):
    class Writing(Batches):
        def predict_many(self, images: Any, texts: Any) -> Any:
            answers = super().predict_many(images, texts)
            images[1][:] = 0
            return answers

    assert _failed(Writing(), split) == {MANY: "predict_many wrote into an image it was given"}


def test_stumbling_over_odd_texts_or_images_is_found(split: Split):
    def short(image: np.ndarray, texts: list[str]) -> Any:
        if any(len(text) > 200 for text in texts):
            raise ValueError("too long")
        return _heats(image, texts)

    def large(image: np.ndarray, texts: list[str]) -> Any:
        if image.shape[0] < 16:
            raise RuntimeError("kernel size can't be greater than the input")
        return _heats(image, texts)

    assert _failed(Made(short), split) == {ODD: "ValueError: too long"}
    assert set(_failed(Made(large), split)) == {SMALL}


def test_a_split_without_images_is_refused(split: Split):
    with pytest.raises(
        DataError, match=r"refcoco_val.first_images\(0\) has no expressions, so there is nothing to score"
    ):
        check_method(Heats(), split.first_images(0))


def test_the_json_of_a_finding_keeps_its_keys():
    found = Finding("a claim", False, "what is wrong", "a warning")
    assert found.record() == {"claim": "a claim", "holds": False, "seen": "what is wrong", "caution": "a warning"}
