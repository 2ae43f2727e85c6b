"""The classes of failure are those of their definitions, and every expression with a true mask has exactly one."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import refer_content, write_refer
from hypothesis import given
from hypothesis import strategies as st

from risbench import DataError, MaskError, Run, evaluate, load_split, score
from risbench.masks import at_size, encode, union_of
from risbench.statistics.failures import OUTCOMES, ImageObject, failures_of, outcome_of


def strip(first: int, last: int) -> np.ndarray:
    """A mask of 100 pixels in a row, true from ``first`` to before ``last``."""
    mask = np.zeros((1, 100), dtype=bool)
    mask[0, first:last] = True
    return mask


# The true object covers 0 to 40, one of its class 40 to 80, one of another class 80 to 100.
SCENE = (
    ImageObject(strip(0, 40), True, True),
    ImageObject(strip(40, 80), False, True),
    ImageObject(strip(80, 100), False, False),
)


@pytest.mark.parametrize(
    ("mask", "iou", "outcome"),
    [
        (strip(0, 0), 0.0, "empty"),
        (strip(0, 20), 0.5, "right"),
        (strip(0, 19), 19 / 40, "partial"),
        (strip(0, 1), 1 / 40, "partial"),  # all of a small mask lies on the object
        (strip(20, 60), 1 / 3, "partial"),  # as much of one as of the other: the true one comes first
        (strip(20, 61), 1 / 3, "same_class"),
        (strip(85, 90), 0.0, "other_object"),
        (strip(0, 100), 0.4, "partial"),  # everything: the two large ones are equal
    ],
)
def test_a_mask_belongs_to_the_first_class_that_applies(mask: np.ndarray, iou: float, outcome: str):
    assert outcome_of(mask, iou, SCENE) == outcome


def test_a_mask_lies_on_an_object_from_a_tenth_of_iou_or_half_of_its_pixels_on():
    objects = (ImageObject(strip(0, 10), True, True),)
    assert outcome_of(strip(9, 100), 0.0, objects) == "background"  # IoU 1/100
    assert outcome_of(strip(0, 100), 0.1, objects) == "partial"  # IoU exactly a tenth
    assert outcome_of(strip(8, 12), 0.0, objects) == "partial"  # two of four pixels
    assert outcome_of(strip(9, 20), 0.0, objects) == "background"  # one of eleven, IoU 1/20
    assert outcome_of(strip(50, 60), 0.0, objects) == "background"


def test_without_a_class_a_wrong_object_is_an_other_object():
    objects = (ImageObject(strip(0, 40), True, False), ImageObject(strip(40, 80), False, False))
    assert outcome_of(strip(40, 80), 0.0, objects) == "other_object"


def _by_definition(mask: np.ndarray, iou: float, objects: list[ImageObject]) -> str:
    """The definitions again, with sets of pixels and exact fractions."""
    own = set(np.flatnonzero(mask))
    if not own:
        return "empty"
    if iou >= 0.5:
        return "right"
    found = {}
    for place, one in enumerate(objects):
        pixels = set(np.flatnonzero(one.mask))
        both = len(own & pixels)
        ratio = Fraction(both, len(own | pixels))
        if both and (ratio >= Fraction(1, 10) or Fraction(both, len(own)) >= Fraction(1, 2)):
            found[place] = (-ratio, not one.is_true, not one.is_of_class, place)
    if not found:
        return "background"
    best = objects[min(found, key=lambda place: found[place])]
    return "partial" if best.is_true else "same_class" if best.is_of_class else "other_object"


spans = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda ends: strip(min(ends), max(ends)))


@given(spans, spans, st.lists(st.tuples(spans, st.booleans()), max_size=4))
def test_the_classes_are_those_of_the_definitions(mask: np.ndarray, truth: np.ndarray, others: list):
    objects = [ImageObject(truth, True, True), *(ImageObject(one, False, same) for one, same in others)]
    either = np.count_nonzero(mask | truth)
    iou = np.count_nonzero(mask & truth) / either if either else 0.0
    assert outcome_of(mask, iou, objects) == _by_definition(mask, iou, objects)


@pytest.mark.parametrize("rules", ["tris", "lavt", "clean"])
def test_the_right_ones_are_p_at_half_under_every_rules(tmp_path: Path, rules: str):
    split = load_split("shapes_val")
    run = evaluate("oracle_class", "shapes_val", limit=4, rules=rules, out=tmp_path / "run")
    rows = {row.id: row for row in run.rows()}
    found = failures_of(split, [run], [rows])
    counts = Counter(found.outcomes[0].values())
    assert set(counts) <= set(OUTCOMES)
    assert sum(counts.values()) == len(rows)
    assert counts["right"] / len(rows) == pytest.approx(run.summary["metrics"]["P@0.5"]["value"])
    assert found.notes() == []
    assert list(found.outcomes[0]) == list(rows)


@pytest.fixture
def odd(tmp_path: Path) -> tuple[Run, Path]:
    """A run on an annotation with few objects: an image with one alone, and objects without class or mask."""
    instances, refs = refer_content()
    for one in refs:
        one["split"] = "val"
    root = write_refer(tmp_path / "data", instances, refs)
    split = load_split("refcoco_val", root)
    lines = [{"id": one.id, "segmentation": encode(union_of(one.parts, one.size))} for one in split]
    (tmp_path / "masks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return score(tmp_path / "masks.jsonl", split, out=tmp_path / "run"), root


def test_what_the_annotation_cannot_show_is_counted(odd: tuple[Run, Path]):
    run, root = odd
    rows = {row.id: row for row in run.rows()}
    split = load_split("refcoco_val", root)
    found = failures_of(split, [run], [rows])
    without = sum(row.without_mask for row in rows.values())
    assert without > 0
    assert found.without_mask == without
    assert len(found.outcomes[0]) == len(rows) - without
    alone = unnamed = unmasked = 0
    for sample in split:
        if not sample.parts:
            continue
        listed = split.objects(sample.image_id)
        alone += sum(bool(one.parts) for one in listed) == 1
        unnamed += any(one.category is None for one in listed)
        unmasked += any(not one.parts for one in listed)
    assert alone > 0
    assert (found.alone, found.unnamed, found.unmasked) == (alone, unnamed, unmasked)
    notes = " ".join(found.notes())
    assert f"{alone} of {len(found.outcomes[0])} expressions" in notes
    assert "no true mask: left out" in notes


def test_a_mask_that_is_absent_or_broken_is_named(odd: tuple[Run, Path]):
    run, root = odd
    split, rows = load_split("refcoco_val", root), {row.id: row for row in run.rows()}
    lines = [json.loads(line) for line in (run.path / "masks.jsonl").read_text().splitlines()]
    first = next(line for line in lines if split.sample(line["id"]).parts)
    code = first["segmentation"]
    for changed, error in (({"segmentation": {**code, "counts": "~"}}, MaskError), ({"id": "other"}, DataError)):
        text = "".join(json.dumps({**line, **changed} if line is first else line) + "\n" for line in lines)
        (run.path / "masks.jsonl").write_text(text)
        with pytest.raises(error, match=first["id"]):
            failures_of(split, [run], [rows])


def test_masks_are_found_wherever_they_stand_in_the_file(odd: tuple[Run, Path]):
    run, root = odd
    split, columns = load_split("refcoco_val", root), run.columns()
    rows = {row.id: row for row in run.rows()}
    codes = {name: line["segmentation"] for name, line in run.masks()}
    whole = failures_of(split, [run], [rows], [codes])
    lines = (run.path / "masks.jsonl").read_text().splitlines()
    (run.path / "masks.jsonl").write_text("\n\n".join(reversed(lines)) + "\n")
    turned = columns.take(np.arange(len(columns))[::-1])
    for found in (failures_of(split, [run], [turned]), failures_of(split, [run], [rows])):
        assert found.outcomes == whole.outcomes
        assert found.notes() == whole.notes()
        assert found.images.tolist() == whole.images.tolist()


def test_a_mask_of_another_size_is_scaled_by_the_nearest_pixel():
    mask = np.array([[True, False], [False, True]])
    assert np.array_equal(at_size(mask, (4, 6)), np.kron(mask, np.ones((2, 3), bool)))
    assert at_size(mask, (2, 2)) is mask
