"""Comparisons of runs: differences overall, by kind of expression, and where they differ most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.runs import ious_of, write_run
from helpers.whole import whole_split
from made_up.answers import Answers

from risbench import Run, Split, UsageError, evaluate
from risbench.masks import union_of
from risbench.statistics.compare import compare


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return whole_split(tmp_path / "data", images=16)


def answered(split: Split, out: Path, right: set[str]) -> Run:
    """A run of the truth where an expression is in ``right``, of nothing elsewhere."""
    answers = {item.id: union_of(item.parts, item.size) & (item.id in right) for item in split}
    return evaluate(Answers(answers), split, name=out.name, out=out)


def test_slices_find_where_two_methods_differ(split: Split, tmp_path: Path):
    left = {item.id for item in split if "left" in item.text}
    cats = {item.id for item in split if item.category == "cat"}
    assert left == cats
    runs = [answered(split, tmp_path / "all", set(split.ids)), answered(split, tmp_path / "left", left)]
    found = compare(runs, metrics="mIoU")
    (whole,) = found.overall
    assert whole.values == (1.0, pytest.approx(len(left) / len(split)))
    by_part = {(test.slice, test.part): test for test in found.slices}
    assert by_part["category", "cat"].difference.value == 0
    assert by_part["category", "cup"].difference.value == 1
    assert by_part["category", "cup"].differs
    assert by_part["category", "cup"].expressions == len(split) - len(left)
    # Every image has a cat and a cup, so nobody has a distractor; every text says left or right.
    assert by_part["same-class distractors", "0"].expressions == len(split)
    assert by_part["words", "position"].expressions == len(split)
    assert {slice for slice, _ in by_part} == {"length", "area", "same-class distractors", "words", "category"}


def test_parts_of_a_question_cover_every_expression(split: Split, tmp_path: Path):
    runs = [answered(split, tmp_path / name, set(split.ids)) for name in ("a", "b")]
    for name in ("length", "area", "same-class distractors", "category"):
        tests = [test for test in compare(runs).slices if test.slice == name]
        assert sum(test.expressions for test in tests) == len(split)


def test_the_ten_farthest_apart_come_first_the_farthest(tmp_path: Path):
    a, b = np.full((8, 2), 0.5), np.full((8, 2), 0.5)
    b[:6] = 0.4
    b[3, 1], b[5, 0] = 0.0, 0.9
    runs = [write_run(tmp_path / name, ious, method=name) for name, ious in (("a", a), ("b", b))]
    apart = compare(runs, slices=False).apart
    assert [item.id for item in apart[:2]] == ["refcoco_val/30/301", "refcoco_val/50/500"]
    assert apart[0].ious == (0.5, 0.0)
    assert len(apart) == 10
    assert compare([runs[0], runs[0]], slices=False).apart == ()


def test_more_comparisons_make_each_less_sure(tmp_path: Path):
    runs = [write_run(tmp_path / str(seed), ious_of(0.4 + 0.004 * seed, seed), method=str(seed)) for seed in range(4)]
    two = compare(runs[:2], metrics="mIoU", slices=False).overall[0]
    four = next(t for t in compare(runs, metrics="mIoU", slices=False).overall if (t.first, t.second) == (0, 1))
    assert two.difference == four.difference
    assert two.corrected == two.difference.p
    assert four.corrected > two.corrected
    assert len(compare(runs, slices=False).overall) == 6 * 10


def test_the_record_is_plain_and_complete(split: Split, tmp_path: Path):
    runs = [answered(split, tmp_path / name, set(split.ids)) for name in ("a", "b")]
    record = compare(runs).record()
    assert [run["method"] for run in record["runs"]] == ["a", "b"]
    assert record["overall"][0]["p_corrected"] == 1
    assert record["rules"]["name"] == "tris"
    assert all(test["slice"] for test in record["slices"])


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"rules": "clean"}, "different rules"),
        ({"source": "1" * 64}, "different copies"),
        ({"limit": 1, "partial": True}, "different limits"),
        ({"split": "refcoco_testA"}, "different splits"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_by_name(tmp_path: Path, more: dict, what: str):
    runs = [write_run(tmp_path / "a", [[0.5]]), write_run(tmp_path / "b", [[0.5]], **more)]
    with pytest.raises(UsageError, match=what):
        compare(runs, slices=False)
    with pytest.raises(UsageError, match="two runs or more"):
        compare(runs[:1])


def test_slices_of_another_copy_are_refused(split: Split, tmp_path: Path):
    runs = [answered(split, tmp_path / name, set(split.ids)) for name in ("a", "b")]
    other = whole_split(tmp_path / "other", images=9)
    with pytest.raises(UsageError, match="is not the one"):
        compare(runs, data_root=other.data_root)
