"""Masks of the whole image and empty masks are counted and reported, and a normal run gets no warning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.small import small_split
from made_up.answers import Answers, masks_for

from risbench import Prediction, Rules, Run, Scorer, Split, evaluate, score
from risbench.errors import MaskError
from risbench.masks import encode, union_of
from risbench.metrics.coverage import FROM, Count, Coverage, cautions, coverage_of

_TRIS = {"name": "tris", "threshold": None}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"))


def _truth(sample: Any) -> np.ndarray:
    return union_of(sample.parts, sample.size).astype(np.float32)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


# What heats look like on another scale than the threshold, of a truth of 0 and 1.
_WRONG: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], str]] = {
    "sigmoid": ("tris", lambda truth: _sigmoid(8 * truth - 4), "whole image"),
    "softmax over two classes": ("tris", lambda truth: np.exp(truth) / (np.exp(truth) + 1), "whole image"),
    "softmax over the picture": ("tris", lambda truth: np.exp(truth) / np.exp(truth).sum(), "whole image"),
    "cosines": ("tris", lambda truth: 0.2 + 0.05 * truth, "whole image"),
    "a few exact zeros": ("tris", lambda truth: np.where(np.arange(truth.size).reshape(truth.shape), 0.5, 0), "whole"),
    "constant": ("tris", lambda truth: np.full_like(truth, 0.3), "whole image"),
    "below zero everywhere": ("tris", lambda truth: truth - 2, "whole image"),
    "all zero": ("tris", np.zeros_like, "are empty"),
    "0 to 255": ("clean", lambda truth: 200 * truth + 20, "whole image"),
    "0 to 255 at 480x480": ("lavt", lambda truth: 200 * truth + 20, "whole image"),
    "small": ("clean", lambda truth: 0.2 * truth, "are empty"),
    "logits below the threshold": ("lavt", lambda truth: 3 * truth - 9, "are empty"),
    "all zero, clean": ("clean", np.zeros_like, "are empty"),
}
# And on the right one: nothing may be said of them.
_RIGHT: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "rectified": ("tris", lambda truth: truth),
    "signed logits": ("tris", lambda truth: 8 * truth - 4),
    "sigmoid": ("clean", lambda truth: _sigmoid(8 * truth - 4)),
    "sigmoid at 480x480": ("lavt", lambda truth: _sigmoid(8 * truth - 4)),
    "logits": ("clean", lambda truth: 8 * truth - 4),
}


def _run(split: Split, out: Path, rules: str, heat_of: Callable[[np.ndarray], np.ndarray], wrong: float = 1.0) -> Run:
    """A run of which a share of the heats is made by a function, the others being right under any rules."""
    many = round(wrong * len(split))
    heats = {
        sample.id: (heat_of(_truth(sample)) if place < many else 8 * _truth(sample) - 4).astype(np.float32)
        for place, sample in enumerate(split)
    }
    return evaluate(Answers(heats), split, rules=rules, out=out)


@pytest.mark.parametrize("kind", _WRONG)
def test_heats_on_another_scale_are_said(split: Split, tmp_path: Path, kind: str):
    rules, heat_of, words = _WRONG[kind]
    (result,) = _run(split, tmp_path / "run", rules, heat_of).cautions()
    assert result.startswith("100 % of the masks ")
    assert words in result
    threshold = "1e-9" if rules == "tris" else "0.5"
    assert f": threshold {threshold} of rules {rules};" in result
    assert "--threshold" in result
    assert "`risbench sweep`" in result
    assert ("--rules clean" in result) == (rules != "clean")


@pytest.mark.parametrize("kind", _RIGHT)
def test_perfect_heats_of_small_objects_are_not(split: Split, tmp_path: Path, kind: str):
    run = _run(split, tmp_path / "run", *_RIGHT[kind])
    assert run.summary["metrics"]["mIoU"]["value"] > 0.9
    assert run.cautions() == []


@pytest.mark.parametrize(("share", "result"), [(1 / 2, True), (1 / 3, True), (0.1, False)])
def test_a_third_on_another_scale_is_said_and_a_tenth_is_not(split: Split, tmp_path: Path, share: float, result: bool):
    run = _run(split, tmp_path / "run", "tris", _WRONG["sigmoid"][1], share)
    assert bool(run.cautions()) == result
    if result:
        percent = int(run.cautions()[0].partition(" %")[0])
        assert abs(percent - 100 * share) < 5


def test_both_kinds_of_odd_masks_are_counted_apart(split: Split, tmp_path: Path):
    def either(truth: np.ndarray) -> np.ndarray:
        return np.full_like(truth, 0.9 if truth.sum() % 2 else 0.1)

    (result,) = _run(split, tmp_path / "run", "clean", either).cautions()
    whole, empty = (int(word.rpartition("(")[2]) for word in result.split(" %")[1:3])
    assert "cover the whole image (" in result
    assert "or are empty (" in result
    assert 99 <= whole + empty <= 101


def test_a_threshold_of_the_card_that_the_rules_do_not_use_is_said(split: Split, tmp_path: Path):
    heats = {sample.id: _truth(sample) for sample in split}

    def cautions_under(rules: str, threshold: float | None, own: float, name: str) -> list[str]:
        method = Answers(heats)
        method.card = {**method.card, "threshold": own}  # type: ignore[misc]
        return evaluate(method, split, rules=rules, threshold=threshold, out=tmp_path / name).cautions()

    for number, (rules, threshold, own, result) in enumerate(
        [
            ("tris", None, 0.7, "names the threshold 0.7, which rules tris do not use (theirs is 1e-9)"),
            ("lavt", None, 0.7, "names the threshold 0.7, which rules lavt do not use (theirs is 0.5)"),
            ("lavt", None, 0.5, ""),  # the same
            ("tris", None, 0.0, ""),  # above nothing is above 1e-9 of the maximum
            ("clean", None, 0.7, ""),  # they use it
            ("tris", 0.4, 0.7, ""),  # somebody chose another
        ]
    ):
        found = cautions_under(rules, threshold, own, str(number))
        assert result in found[0] if result else found == [], (rules, own)


def test_masks_that_a_method_brings_get_no_advice_about_thresholds(split: Split, tmp_path: Path):
    everything = {sample.id: np.ones(sample.size, bool) for sample in split}
    method = Answers(everything)
    (result,) = evaluate(method, split, out=tmp_path / "run").cautions()
    assert (
        result
        == "100 % of the masks cover the whole image; the predictions are masks, so no threshold of the rules was used"
    )
    method.card = {**method.card, "supervision": "none"}  # type: ignore[misc]  # a floor, which answers so on purpose
    assert evaluate(method, split, out=tmp_path / "floor").cautions() == []
    assert evaluate(Answers(masks_for(split)), split, out=tmp_path / "good").cautions() == []


def test_a_run_scored_again_says_it_by_its_new_rules(split: Split, tmp_path: Path):
    from risbench import Settings

    heats = {sample.id: _sigmoid(8 * _truth(sample) - 4) for sample in split}
    run = evaluate(Answers(heats), split, out=tmp_path / "run", settings=Settings(save_heat=True))
    assert "threshold 1e-9 of rules tris" in run.cautions()[0]
    assert score(run.path, split, rules="clean", out=tmp_path / "clean").cautions() == []
    chosen = score(run.path, split, threshold=1e-6, out=tmp_path / "chosen").cautions()
    assert "threshold 1e-6, which was chosen" in chosen[0]


def test_missing_predictions_do_not_count_as_empty(split: Split, tmp_path: Path):
    place = tmp_path / "heats"
    place.mkdir()
    for sample in list(split)[::2]:
        np.save(place / f"{sample.sent_id}.npy", _truth(sample))
    run = score(place, split, out=tmp_path / "run", allow_missing=True)
    assert run.summary["missing"] > 0.4 * len(split)
    assert run.cautions() == []


def test_a_scorer_in_a_loop_says_it_and_two_halves_say_what_the_whole_says(split: Split):
    whole, halves = Scorer(), (Scorer(), Scorer())
    for place, sample in enumerate(split):
        heat = _sigmoid(8 * _truth(sample) - 4)
        for scorer in (whole, halves[place % 2]):
            scorer.add(sample, heat)
    assert "whole image" in whole.cautions()[0]
    halves[0].merge(halves[1])
    assert halves[0].cautions() == whole.cautions()
    assert Scorer(Rules("clean")).cautions() == []


def _line(mask: np.ndarray, **more: Any) -> dict[str, Any]:
    return {"id": "a", "segmentation": encode(mask), **more}


def test_masks_are_measured_from_their_codes():
    generator = np.random.default_rng(0)
    full, almost, empty = np.ones((30, 40), bool), np.ones((30, 40), bool), np.zeros((30, 40), bool)
    almost.flat[generator.choice(1200, 60, replace=False)] = False  # 95 %
    less = almost.copy()
    less.flat[np.flatnonzero(less)[0]] = False
    noise = [generator.random((int(height), 50)) < share for height in (1, 7, 300) for share in (0.01, 0.5, 0.9)]
    masks = [full, almost, less, empty, *noise]
    shares = [mask.mean() for mask in masks]
    assert shares[1] >= 0.95 > shares[2]
    lines = [_line(mask, cut="tris") for mask in masks]
    lines += [_line(full), _line(empty), _line(empty, missing=True)]
    whole, none = sum(share >= 0.95 for share in shares), shares.count(0)
    assert coverage_of(lines) == Coverage(Count(len(masks), whole, none), Count(2, 1, 1))
    assert coverage_of([]) == Coverage()


@pytest.mark.parametrize("counts", [None, "", "~", "P", "PPPPPPPP1", 3, [1, 2], "é"])
def test_a_code_that_is_none_is_an_error_there_and_nothing_is_said_of_its_run(
    tmp_path: Path, split: Split, counts: Any
):
    line = {"id": "a", "segmentation": {"size": [3, 4], "counts": counts}}
    with pytest.raises(MaskError):
        coverage_of([line])
    run = evaluate(Answers({sample.id: np.ones(sample.size, bool) for sample in split}), split, out=tmp_path / "run")
    assert run.cautions()
    with (run.path / "masks.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    assert run.cautions() == []


def test_a_share_is_never_rounded_to_all_or_nothing():
    nearly = Coverage(cut=Count(1000, 999, 0))
    assert cautions(nearly, _TRIS, {})[0].startswith("99 % of the masks cover the whole image")
    below = Coverage(cut=Count(1000, round(1000 * FROM) - 1, 0))
    assert cautions(below, _TRIS, {}) == []
    both = Coverage(cut=Count(10, 10, 0), given=Count(10, 10, 0))
    assert [text.partition(":")[0] for text in cautions(both, _TRIS, {})] == [
        "100 % of the masks cut from heats cover the whole image",
        "100 % of the masks cover the whole image; the predictions are masks, so no threshold of the rules was used",
    ]


def test_a_prediction_with_a_mask_and_a_heat_brings_its_mask(split: Split, tmp_path: Path):
    answers = {sample.id: Prediction(mask=_truth(sample) > 0, heat=_truth(sample) + 1) for sample in split}
    assert evaluate(Answers(answers), split, out=tmp_path / "run").cautions() == []
