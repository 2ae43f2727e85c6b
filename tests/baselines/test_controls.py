"""Floors and controls: their predictions, that random ones depend only on the seed, and that all keep the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.folders import content_of
from helpers.small import small_split, write_small
from made_up.samples import block, sample_of

from risbench import Box, Sample, Settings, Split, evaluate, load_split
from risbench.datasets.images import read_image
from risbench.masks import union_of
from risbench.methods.answers import predictions_of
from risbench.methods.contract_check import check_method
from risbench.methods.factory import make
from risbench.plugins import METHODS, installed

FLOORS = ("centre", "full", "random_box", "random_point")
CONTROLS = ("oracle_box", "oracle_class", "random_same_class")
TEXTS = ["left", "right", ""]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 12)


@pytest.fixture(scope="module")
def drawn(shared_cache: Path) -> Split:
    return load_split("shapes_val").first_images(12)


def _made(name: str, split: Split | None = None, **options: str) -> Any:
    split_name, root = (split.name, split.data_root) if split is not None else (None, None)
    return make(name, split=split_name, data_root=root, options=options)[0]


def _picture(height: int = 20, width: int = 31, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _points(answers: Sequence[Any]) -> list[Any]:
    return [(answer.point, answer.mask.tobytes()) for answer in answers]


def test_all_are_installed():
    assert set(installed(METHODS)) >= {*FLOORS, *CONTROLS}


@pytest.mark.parametrize("name", [*FLOORS, *CONTROLS])
def test_each_keeps_the_contract_of_a_method(drawn: Split, name: str):
    findings = check_method(_made(name, drawn), drawn, 2)
    assert [finding for finding in findings if not finding.holds] == []


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_says_that_it_reads_the_truth(drawn: Split, name: str):
    card = _made(name, drawn).card
    assert card["supervision"] == "oracle"
    assert card["reads"]


def test_the_centre_is_a_quarter_of_the_image_with_its_peak_in_the_middle():
    for size in ((20, 32), (21, 33), (1, 1), (4, 3)):
        first, second = _made("centre").predict(_picture(*size), ["a", "b"])
        assert first is second
        assert first.heat.shape == first.mask.shape == size
        row, column = np.unravel_index(first.heat.argmax(), size)
        assert abs(row + 0.5 - size[0] / 2) <= 0.5
        assert abs(column + 0.5 - size[1] / 2) <= 0.5
        np.testing.assert_array_equal(first.mask, first.mask[::-1, ::-1])
    assert _made("centre").predict(_picture(20, 32), ["a"])[0].mask.sum() == 10 * 16


def test_the_full_mask_has_no_point(split: Split, tmp_path: Path):
    run = evaluate("full", split, out=tmp_path)
    assert run.summary["metrics"]["PointIt"] == {"value": None, "low": None, "high": None, "count": 0}
    for sample, row in zip(split, run.rows(), strict=True):
        assert row.union == sample.size[0] * sample.size[1]
        assert row.intersection == union_of(sample.parts, sample.size).sum()


@pytest.mark.parametrize("name", ["random_box", "random_point"])
def test_chance_depends_on_seed_picture_and_words_alone(name: str):
    one, other = _picture(), _picture(seed=1)
    alone = [_points(_made(name).predict(one, [text]))[0] for text in TEXTS]
    method = _made(name)
    method.predict(other, ["something before"])
    assert _points(method.predict(one, TEXTS)) == alone
    assert _points(method.predict(one, TEXTS[::-1]))[::-1] == alone
    assert len(set(alone)) == 3
    assert _points(_made(name).predict(other, TEXTS)) != alone
    assert _points(_made(name, seed="1").predict(one, TEXTS)) != alone


def test_a_random_point_is_its_only_pixel_and_every_pixel_can_be_it():
    answers = _made("random_point").predict(_picture(3, 4), [str(number) for number in range(200)])
    for answer in answers:
        x, y = answer.point
        assert answer.mask.sum() == 1
        assert answer.mask[int(y), int(x)]
        assert (x % 1, y % 1) == (0.5, 0.5)
    assert len({answer.point for answer in answers}) == 12


def test_a_random_box_lies_in_the_image_with_its_point_in_its_middle():
    for size in ((20, 31), (1, 1), (2, 50)):
        for answer in _made("random_box").predict(_picture(*size), [str(number) for number in range(40)]):
            rows, columns = np.nonzero(answer.mask)
            assert answer.mask.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            assert answer.point == ((columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2)
            assert 1 <= np.ptp(rows) + 1 <= max(1, round(0.9 * size[0]))


@pytest.mark.parametrize("rules", ["tris", "clean"])
def test_the_true_box_hits_every_box(split: Split, tmp_path: Path, rules: str):
    metrics = evaluate("oracle_box", split, rules=rules, out=tmp_path).summary["metrics"]
    assert metrics["Accbox"]["value"] == metrics["PointIt"]["value"] == 1.0
    assert metrics["mIoU"]["value"] > 0.6


def test_a_box_outside_the_image_fills_nothing():
    for corners, pixels in (
        ((-9.0, -9.0, -2.0, -2.0), 0),
        ((50.0, 50.0, 60.0, 60.0), 0),
        ((-3.0, -3.0, 2.0, 1.5), 4),
        ((1.25, 1.5, 2.5, 3.0), 4),
    ):
        sample = replace(sample_of(block((10, 10), 0, 0, 2, 2)), box=Box(*corners))
        (answer,) = _made("oracle_box").predict(_picture(10, 10), [sample.text], samples=[sample])
        assert answer.mask.sum() == pixels
    nothing = replace(sample_of(block((10, 10), 0, 0, 2, 2)), box=None)
    (answer,) = _made("oracle_box").predict(_picture(10, 10), ["x"], samples=[nothing])
    assert answer.mask.sum() == 0
    assert answer.point is None


def _requested(name: str, split: Split) -> list[tuple[Sample, Any]]:
    method = _made(name, split)
    found = []
    for group in split.by_image():
        image = read_image(group[0].image_path, group[0].size)
        answers = method.predict(image, [sample.text for sample in group], samples=group)
        found += zip(group, predictions_of(answers, group), strict=True)
    return found


def test_the_class_covers_its_object_and_no_other_class(drawn: Split):
    covered = 0
    for sample, answer in _requested("oracle_class", drawn):
        truth = union_of(sample.parts, sample.size)
        assert (answer.mask | ~truth).all()
        others = [item for item in drawn.objects(sample.image_id) if item.category == sample.category]
        everything = np.logical_or.reduce([union_of(item.parts, sample.size) for item in others])
        np.testing.assert_array_equal(answer.mask, everything)
        x, y = answer.point
        assert answer.mask[int(y), int(x)]
        covered += answer.mask.sum() > truth.sum()
    assert covered > 0  # of some classes there is more than one object


def test_a_random_object_is_one_of_the_class_with_its_point_on_it(drawn: Split):
    right = wrong = 0
    for sample, answer in _requested("random_same_class", drawn):
        like = [item for item in drawn.objects(sample.image_id) if item.category == sample.category]
        masks = [union_of(item.parts, sample.size) for item in like]
        assert any(np.array_equal(answer.mask, mask) for mask in masks)
        x, y = answer.point
        assert answer.mask[int(y), int(x)]
        if len(like) > 1:
            hit = np.array_equal(answer.mask, union_of(sample.parts, sample.size))
            right, wrong = right + hit, wrong + (not hit)
    assert right > 0
    assert wrong > 0


@pytest.mark.parametrize("name", ["random_box", "random_same_class"])
def test_chance_does_not_depend_on_the_order_of_the_work(split: Split, tmp_path: Path, name: str):
    evaluate(name, split, out=tmp_path / "whole", options={"seed": "3"})
    evaluate(name, split, out=tmp_path / "batch", options={"seed": "3"}, settings=Settings(8))
    assert content_of(tmp_path / "batch") == content_of(tmp_path / "whole")
    part = evaluate(name, split, out=tmp_path / "part", options={"seed": "3"}, shard=(1, 3))
    whole = (tmp_path / "whole" / "masks.jsonl").read_text()
    assert all(line + "\n" in whole for line in (part.path / "masks.jsonl").read_text().splitlines())


def test_an_object_without_a_class_mask_is_answered_with_nothing(tmp_path: Path):
    split = load_split("refcoco_val", write_small(tmp_path / "data", 1))
    sample = replace(split[0], category="of no object")
    for name in ("oracle_class", "random_same_class"):
        (answer,) = _made(name, split).predict(_picture(*sample.size), [""], samples=[sample])
        assert answer.mask.sum() == 0
        assert answer.point is None
