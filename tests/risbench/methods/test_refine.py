"""Refiners: what they are given, what of an answer they change, and what a run says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import Ask
from helpers.whole import whole_split
from made_up.answers import Answers, heats_for, masks_for

from risbench import Prediction, Run, Settings, Split, UsageError, evaluate, load_split, score
from risbench.leaderboard import entry
from risbench.masks import decode
from risbench.methods.refine import Refined
from risbench.metrics.resize import bilinear
from risbench.metrics.rules.protocols import Rules
from risbench.results import heats
from risbench.running.shards import merge
from tris_model.irn import crf
from tris_model.irn.refine import chances
from tris_model.irn.refine import crf as refiner

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return whole_split(tmp_path / "data")


class Spy:
    """A refiner that notes what it was given and answers with the cut itself."""

    def __init__(self) -> None:
        self.given: list[tuple[np.ndarray, float]] = []

    def __call__(self, image: np.ndarray, heats: np.ndarray, threshold: float) -> np.ndarray:
        assert heats.shape[1:] == image.shape[:2]
        self.given.append((heats, threshold))
        return heats > threshold


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick refiner under the name ``crf``: half way between the threshold and the maximum."""

    def halfway(image: np.ndarray, heats: np.ndarray, threshold: float) -> np.ndarray:
        return heats > (threshold + heats.max((1, 2), keepdims=True)) / 2

    monkeypatch.setattr("tris_model.irn.refine.crf", halfway)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    found = Spy()
    monkeypatch.setattr("risbench.methods.refine.plugins.load", lambda group, name: found)
    return found


class Says:
    """A method of one answer."""

    def __init__(self, answer: Any, **card: Any) -> None:
        self.answer, self.card = answer, {"grade": "native", "supervision": "none", **card}

    def predict(self, image: np.ndarray, texts: list[str]) -> list[Any]:
        return [self.answer] * len(texts)


def test_a_heat_alone_is_given_in_the_unit_and_with_the_threshold_of_the_rules(spy: Spy) -> None:
    heat = np.array([[0.0, 4.0], [2.0, -1.0]], np.float32)
    for name, threshold, corners, divisor in (("tris", 1e-9, True, 4 + 1e-5), ("clean", 0.5, False, 1)):
        refined = Refined(Says(heat), "spy", Rules(name), title="says")
        answer = refined.predict(IMAGE, ["one"])[0]
        given, cut = spy.given.pop()
        resized = bilinear(heat, (20, 30), align_corners=corners)
        np.testing.assert_allclose(given[0], resized / divisor, rtol=1e-5)
        assert cut == threshold
        np.testing.assert_array_equal(answer.mask, given[0] > cut)
        np.testing.assert_array_equal(answer.heat, heat)


def test_the_mask_that_tris_cuts_from_any_heat_is_the_one_that_a_cut_refines_to(spy: Spy, split: Split) -> None:
    """Refining by cutting changes nothing under any rules, so what is given is what the rules cut."""
    given = heats_for(split)
    for rules in ("tris", "clean"):
        plain, refined = (
            evaluate(Answers(given), split, rules=rules, out=split.data_root / f"{rules}{refine}", refine=refine)
            for refine in (None, "crf")
        )
        assert [row.iou for row in plain.rows()] == pytest.approx([row.iou for row in refined.rows()], abs=2e-3)
        assert [row.hit_box for row in plain.rows()] == [row.hit_box for row in refined.rows()]


def test_where_a_method_cuts_its_own_heat_its_cards_threshold_counts_unless_another_was_asked_for(spy: Spy) -> None:
    heat = np.linspace(0, 3, 600, dtype=np.float32).reshape(20, 30)
    method = Says(Prediction(mask=heat > 2, heat=heat), threshold=2.0)
    Refined(method, "spy", Rules("tris"), title="says").predict(IMAGE, ["one"])
    assert spy.given[-1][1] == 2.0
    np.testing.assert_array_equal(spy.given[-1][0][0], heat)
    Refined(method, "spy", Rules("tris", 0.25), title="says", explicit_threshold=True).predict(IMAGE, ["one"])
    assert spy.given[-1][1] == 0.25
    assert spy.given[-1][0].max() == pytest.approx(1, abs=1e-4)


def test_all_texts_of_an_image_are_refined_in_one_call(spy: Spy) -> None:
    Refined(Says(np.eye(4)), "spy", Rules(), title="says").predict(IMAGE, ["a", "b", "c"])
    assert [len(heats) for heats, _ in spy.given] == [3]


def test_everything_else_is_the_methods_own(spy: Spy) -> None:
    class Many(Says):
        parameter_count, batch = 7, 3

        def predict_many(self, images: list[np.ndarray], texts: list[list[str]]) -> list[Any]:
            return [self.predict(image, words) for image, words in zip(images, texts, strict=True)]

    boxes = np.array([[0.0, 0.0, 3.0, 4.0]])
    answer = Prediction(heat=np.eye(4, dtype=np.float32), point=(1.5, 2.5), boxes=boxes)
    refined = Refined(Many(answer), "spy", Rules(), title="says")
    assert (refined.parameter_count, refined.batch, refined.card["grade"]) == (7, 3, "native")
    first, second = refined.predict_many([IMAGE, IMAGE], [["a"], ["b", "c"]])
    assert (len(first), len(second)) == (1, 2)
    assert first[0].point == (1.5, 2.5)
    assert first[0].boxes is not None
    assert not hasattr(Refined(Says(answer), "spy", Rules(), title="says"), "predict_many")


def test_a_mask_without_a_heat_cannot_be_refined(split: Split, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="refine=crf needs a heat, but Answers returns a mask without a heat"):
        evaluate(Answers(masks_for(split)), split, out=tmp_path / "run", refine="crf")
    with pytest.raises(UsageError, match="no refiner named 'crv': did you mean 'crf'"):
        evaluate(Answers(heats_for(split)), split, out=tmp_path / "run", refine="crv")


def test_the_header_tells_and_another_refiner_is_another_run(strict: None, split: Split, tmp_path: Path) -> None:
    method = Answers(heats_for(split))
    run = evaluate(method, split, out=tmp_path / "run", refine="crf")
    assert run.header["refine"] == "crf"
    assert run.header["provenance"][0]["refiner"] == "tris_model.irn.refine:crf"
    with pytest.raises(UsageError, match="refine"):
        evaluate(method, split, out=tmp_path / "run")
    # A header of before there were refiners lacks the key and stands for none.
    plain = evaluate(method, split, out=tmp_path / "plain")
    header = json.loads((plain.path / "header.json").read_text())
    del header["refine"]
    (plain.path / "header.json").write_text(json.dumps(header))
    assert evaluate(method, split, out=tmp_path / "plain").summary == plain.summary
    with pytest.raises(UsageError, match="refine"):
        evaluate(method, split, out=tmp_path / "plain", refine="crf")
    assert run.summary["metrics"] != plain.summary["metrics"]
    name = entry.make_entry(run, {"rows": "0", "masks": "0"})
    assert name["method"] == "Answers+crf"
    entry.check(name, "here")


def test_shards_of_a_refined_run_are_the_run(strict: None, split: Split, tmp_path: Path) -> None:
    method = Answers(heats_for(split))
    whole = evaluate(method, split, out=tmp_path / "whole", refine="crf")
    for number in range(2):
        evaluate(method, split, out=tmp_path / "parts", refine="crf", shard=(number, 2))
    merged = merge(tmp_path / "parts", split=split)
    assert merged.header["refine"] == "crf"
    for name in ("masks.jsonl", "summary.json"):
        assert (merged.path / name).read_bytes() == (whole.path / name).read_bytes()


@pytest.mark.parametrize("save_heat", [False, True])
def test_scored_again_the_masks_are_the_refined_ones_and_heats_the_methods(
    strict: None, split: Split, tmp_path: Path, save_heat: bool
) -> None:
    given = heats_for(split)
    run = evaluate(Answers(given), split, out=tmp_path / "run", refine="crf", settings=Settings(save_heat=save_heat))
    again = score(run.path, split, out=tmp_path / "again")
    assert again.header["refine"] == "crf"
    assert again.summary["metrics"] == run.summary["metrics"]
    if save_heat:
        kept = heats.load(run.path, split[0].image_id)
        np.testing.assert_array_equal(kept[split[0].id], given[split[0].id])


def test_the_command_takes_it_from_set(strict: None, ask: Ask, tmp_path: Path, shared_cache: Path) -> None:
    out = tmp_path / "run"
    result = ask(
        "run", "--method", "centre", "--split", "shapes_val", "--limit", 1, "--set", "refine=crf", "--out", out
    )
    assert result.code == 0, result.err
    assert "masks refined by crf" in result.out
    run = Run.load(out)
    assert (run.header["refine"], run.header["arguments"]["given"]) == ("crf", {})
    sample = next(iter(load_split("shapes_val")))
    picture = tmp_path / "mask.png"
    result = ask(
        "predict", "--method", "centre", "--set", "refine=crf", sample.image_path, sample.text, "--mask", picture
    )
    assert result.code == 0, result.err
    from PIL import Image

    masks = dict(run.masks())
    np.testing.assert_array_equal(np.asarray(Image.open(picture)) > 0, decode(masks[sample.id]["segmentation"]))
    result = ask("predict", "--method", "centre", "--set", "refine=crv", sample.image_path, sample.text)
    assert result.code == 2
    assert "did you mean 'crf'" in result.err


def test_a_chance_is_a_half_at_the_threshold_and_straight_to_both_ends() -> None:
    heat = np.array([[-2.0, -0.5, 1.0, 2.0, 3.0]])
    np.testing.assert_allclose(chances(heat, 1.0), [[0, 0.25, 0.5, 0.75, 1]])
    np.testing.assert_allclose(chances(heat * 7 - 1, 6.0), [[0, 0.25, 0.5, 0.75, 1]], atol=1e-6)
    np.testing.assert_allclose(chances(np.array([[0.0, 0.0, 0.5]]), 0.0), [[0, 0, 1]])
    spread = np.linspace(0, 1, 11)[None]
    np.testing.assert_allclose(chances(spread, 0.5), spread, atol=1e-6)


def test_a_heat_on_one_side_of_the_threshold_stays_there() -> None:
    heats = np.stack([np.full((20, 30), 0.2), np.full((20, 30), 0.7), np.linspace(0, 1, 600).reshape(20, 30)])
    masks = refiner(IMAGE, heats, 0.5)
    assert (masks[0].any(), masks[1].all()) == (False, True)
    # Several maps add up in another order than one, so a pixel on the edge may go either way.
    assert (masks[2] == crf.decide(IMAGE, heats[2:])[0]).mean() > 0.999
    assert refiner(IMAGE, heats[:0], 0.5).shape == (0, 20, 30)


def test_the_border_goes_to_the_colours_and_each_text_is_as_if_alone() -> None:
    image = np.full((40, 60, 3), 40, np.uint8)
    truth = np.zeros((40, 60), bool)
    truth[10:30, 15:45] = True
    image[truth] = (200, 60, 30)
    y, x = np.mgrid[:40, :60]
    heats = np.stack([np.exp(-(((x - column) / 16) ** 2) - ((y - 20) / 11) ** 2) for column in (28, 31)])
    masks = refiner(image, heats, 0.4)
    assert not np.array_equal(heats[0] > 0.4, truth)
    np.testing.assert_array_equal(masks[0], truth)
    assert (refiner(image, heats[1:], 0.4)[0] == masks[1]).mean() > 0.999  # as above


def test_chances_are_decided_as_by_all_pairs() -> None:
    """CLIP-ES's field against its definition: mean field over every pair, in float64."""
    random = np.random.default_rng(1)
    flat = np.kron(random.integers(0, 256, (3, 4, 3)), np.ones((8, 8, 1), int))
    image = (flat + random.integers(-3, 4, flat.shape)).clip(0, 255).astype(np.uint8)
    y, x = np.mgrid[:24, :32]
    chance = np.clip(np.exp(-(((x - 15) / 9) ** 2) - ((y - 11) / 7) ** 2) + random.normal(0, 0.1, (24, 32)), 0.02, 0.98)
    place, colour = np.stack([x, y], 2).reshape(-1, 2) / 1.0, image.reshape(-1, 3) / 1.0
    kernels = []
    for weight, points in ((3, place), (4, np.concatenate([place / 67, colour / 3], 1))):
        kernel = np.exp(-((points[:, None] - points[None]) ** 2).sum(2) / 2)
        norm = kernel.sum(1) ** -0.5
        kernels.append((weight, norm[:, None] * kernel * norm))
    start = np.stack([1 - chance.ravel(), chance.ravel()])
    belief = start
    for _ in range(10):
        score = np.log(start) + sum(weight * belief @ kernel for weight, kernel in kernels)
        score = np.exp(score - score.max(0))
        belief = score / score.sum(0)
    expected = belief[1].reshape(24, 32) > 0.5
    found = crf.decide(image, chance[None])[0]
    assert (expected != (chance > 0.5)).sum() > 20
    assert (expected == found).mean() > 0.98
