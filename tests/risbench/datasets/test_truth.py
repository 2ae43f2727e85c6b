"""Masks of another file stand in for annotated ones, where it names them and nowhere else; all else is refused."""

from __future__ import annotations

import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.annotations import SIZE, code_of, rectangle, refer_content, write_refer, write_referit_as_pickles
from hypothesis import given
from hypothesis import strategies as st

from risbench import DataError, UsageError, load_split
from risbench.datasets import Split
from risbench.masks import box_of, box_round, decode, encode, union_of
from risbench.records import Box

NEW = rectangle(SIZE, 4, 6, 20, 30)


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return load_split("refcoco_val", write_refer(tmp_path / "data"))


def write(folder: Path, content: Any) -> Path:
    path = folder / "again.json"
    path.write_text(json.dumps(content))
    return path


def masks_of(split: Split) -> dict[Any, np.ndarray]:
    return {sample.ref_id: union_of(sample.parts, sample.size) for sample in split}


def counts_of(mask: np.ndarray) -> list[int]:
    """Uncompressed run lengths, counted here."""
    flat = [False, *mask.T.ravel().tolist()]
    runs, length = [], 0
    for before, now in pairwise(flat):
        if now != before:
            runs.append(length)
            length = 0
        length += 1
    return [*runs, length]


FORMS = {
    "by ref": [{"ref_id": 100, "segmentation": code_of(NEW)}],
    "by annotation": [{"ann_id": 11, "segmentation": code_of(NEW)}],
    "an id as text": [{"ref_id": "100", "segmentation": code_of(NEW)}],
    "a list of codes": [{"ref_id": 100, "segmentation": [code_of(NEW)]}],
    "not compressed": [{"ref_id": 100, "segmentation": {"size": [40, 60], "counts": counts_of(NEW)}}],
    "polygons": [{"ann_id": 11, "segmentation": [[4, 6, 20, 6, 20, 30, 4, 30]]}],
    "an object of refs": {"ref_id": {"100": code_of(NEW)}},
    "an object of annotations": {"ann_id": {"11": code_of(NEW)}},
    "COCO's": {"images": [], "annotations": [{"id": 11, "segmentation": code_of(NEW), "iscrowd": 0}]},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_mask_to_its_object_alone(split: Split, tmp_path: Path, form: str):
    other = split.with_truth(write(tmp_path, FORMS[form]))
    before, after = masks_of(split), masks_of(other)
    np.testing.assert_array_equal(after.pop(100), NEW)
    assert (before.pop(100) != NEW).any()
    for ref, mask in before.items():
        np.testing.assert_array_equal(after[ref], mask)
    assert other.ids == split.ids
    assert (other.counts, other.partial) == (split.counts, split.partial)
    assert other.truth is not None
    assert (other.truth.replaces, other.truth.kept, other.truth.elsewhere) == (1, 5, 0)


def test_the_box_is_the_new_masks_unless_the_file_brings_one(split: Split, tmp_path: Path):
    entry = {"ref_id": 100, "segmentation": code_of(NEW)}
    by_mask = split.with_truth(write(tmp_path, [entry]))
    assert by_mask.sample("refcoco_val/100/0").box == Box(4, 6, 20, 30) == box_of(NEW)
    brought = split.with_truth(write(tmp_path, [{**entry, "bbox": [3.5, 5, 17, 26.25]}]))
    assert brought.sample("refcoco_val/100/0").box == Box(3.5, 5, 20.5, 31.25)
    # Object 12 is not named: its box stays as annotated.
    assert brought.sample("refcoco_val/103/10").box == split.sample("refcoco_val/103/10").box


def test_all_expressions_and_the_image_see_the_one_new_mask(split: Split, tmp_path: Path):
    other = split.with_truth(write(tmp_path, [{"ref_id": 101, "segmentation": code_of(NEW)}]))
    assert other.truth is not None
    assert other.truth.replaces == 2
    parts = [other.sample(f"refcoco_val/101/{n}").parts for n in (5, 3)]
    observed = next(thing for thing in other.objects(2) if thing.ann_id == 13)
    assert parts[0] == parts[1] == observed.parts
    np.testing.assert_array_equal(decode(parts[0][0]), NEW)


def test_polygons_stay_parts_that_rules_combine(split: Split, tmp_path: Path):
    two = [[4, 6, 20, 6, 20, 30, 4, 30], [10, 6, 30, 6, 30, 30, 10, 30]]
    other = split.with_truth(write(tmp_path, [{"ref_id": 100, "segmentation": two}]))
    assert len(other.sample("refcoco_val/100/0").parts) == 2
    assert other.sample("refcoco_val/100/0").box == Box(4, 6, 30, 30)


def test_only_leaves_out_what_the_file_does_not_name(split: Split, tmp_path: Path):
    path = write(tmp_path, {"ann_id": {"13": code_of(NEW), "12": code_of(NEW)}})
    some = split.with_truth(path, only=True)
    assert some.ids == tuple(f"refcoco_val/{name}" for name in ("101/5", "101/3", "103/10", "103/11"))
    assert tuple(some.counts) == (2, 2, 4)
    assert some.partial
    assert some.truth is not None
    assert some.truth.left_out == {"refcoco_val/100/0", "0", "refcoco_val/102/9", "9"}
    assert some.first_images(1).ids == some.ids[:2]  # image 2 comes first
    everything = {"ann_id": {str(n): code_of(NEW) for n in (11, 12, 13, 14)}}
    whole = split.with_truth(write(tmp_path, everything), only=True)
    assert (whole.ids, whole.truth and whole.truth.left_out) == (split.ids, frozenset())


def test_one_file_serves_all_splits_of_a_set(split: Split, tmp_path: Path):
    # Object 17 is of testB and train, and so is its image.
    content = {"ann_id": {"11": code_of(NEW), "17": code_of(NEW)}}
    path = write(tmp_path, content)
    other = split.with_truth(path)
    assert other.truth is not None
    assert (other.truth.replaces, other.truth.elsewhere) == (1, 1)
    other = load_split("refcoco_testB", split.data_root).with_truth(path)
    np.testing.assert_array_equal(masks_of(other)[105], NEW)
    path = write(tmp_path, {"ann_id": {"17": code_of(NEW)}})
    with pytest.raises(DataError, match="replaces no mask of refcoco_val: its 1 entry is about other images"):
        split.with_truth(path)


BAD = {
    "ref 7: the data set has no such ref": [{"ref_id": 7, "segmentation": code_of(NEW)}],
    "annotation 7: the data set has no such annotation": {"ann_id": {"7": code_of(NEW)}},
    "an id is a whole number": [{"ref_id": True, "segmentation": code_of(NEW)}],
    r"ref 100: run-length code of size \(40, 50\) in an image of size \(40, 60\)": [
        {"ref_id": 100, "segmentation": code_of(NEW[:, :50])}
    ],
    "ref 100: its mask is empty": [{"ref_id": 100, "segmentation": []}],
    "annotation 11: its mask is empty": [{"ann_id": 11, "segmentation": code_of(NEW & False)}],
    "ref 100 and annotation 11|annotation 11 and ref 100": [
        {"ref_id": 100, "segmentation": code_of(NEW)},
        {"ann_id": 11, "segmentation": code_of(~NEW)},
    ],
    "are one object with two masks": {"ref_id": {"100": code_of(NEW)}, "ann_id": {"11": code_of(~NEW)}},
    "ref 106: this ref has no object": [{"ref_id": 106, "segmentation": code_of(NEW)}],
    "'bbox' is x, y, width and height": [{"ref_id": 100, "segmentation": code_of(NEW), "bbox": [1, 2, 3]}],
    "got .1, 2, -3, 4": [{"ref_id": 100, "segmentation": code_of(NEW), "bbox": [1, 2, -3, 4]}],
    "entry 0 has no 'segmentation'": [{"ref_id": 100}],
    "entry 0 has neither": [{"segmentation": code_of(NEW)}],
    "entry 0 has both": [{"ref_id": 100, "ann_id": 11, "segmentation": code_of(NEW)}],
    "holds a int": 5,
    "'100' is in the place of 'ref_id' or 'ann_id'": {"100": code_of(NEW)},
    "a polygon must be a list": [{"ref_id": 100, "segmentation": "all of it"}],
    "2 entries cannot be used": {"ref_id": {"7": code_of(NEW), "8": code_of(NEW)}},
    "4 entries cannot be used: .*ref 9: .*; …$": {"ref_id": {str(n): code_of(NEW) for n in (7, 8, 9, 10)}},
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_used_is_refused_by_name(split: Split, tmp_path: Path, message: str):
    with pytest.raises(DataError, match=message) as refused:
        split.with_truth(write(tmp_path, BAD[message]))
    assert "again.json" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_absent_or_no_json_is_named(split: Split, tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.json: cannot be read"):
        split.with_truth(tmp_path / "none.json")
    (tmp_path / "again.json").write_text('[{"ref_id": 1,')
    with pytest.raises(DataError, match=r"again\.json, line 1: not JSON"):
        split.with_truth(tmp_path / "again.json")


def test_a_truth_is_not_laid_over_another(split: Split, tmp_path: Path):
    path = write(tmp_path, FORMS["by ref"])
    with pytest.raises(UsageError, match="already"):
        split.with_truth(path).with_truth(path)


def test_it_travels_to_another_process(split: Split, tmp_path: Path):
    other = split.with_truth(write(tmp_path, FORMS["by ref"]), only=True)
    again = pickle.loads(pickle.dumps(other))
    assert again.ids == other.ids
    np.testing.assert_array_equal(masks_of(again)[100], NEW)


def test_two_refs_of_one_object_share_the_mask(tmp_path: Path):
    instances, refs = refer_content()
    refs[1] = {**refs[1], "ann_id": 12}  # as ref 103 has it
    split = load_split("refcoco_val", write_refer(tmp_path / "data", instances, refs))
    other = split.with_truth(write(tmp_path, [{"ref_id": 100, "segmentation": code_of(NEW)}]))
    assert other.truth is not None
    assert other.truth.replaces == 3
    np.testing.assert_array_equal(masks_of(other)[103], NEW)
    both = [{"ref_id": ref, "segmentation": code_of(NEW)} for ref in (100, 103)]
    assert masks_of(split.with_truth(write(tmp_path, both)))[103].sum() == NEW.sum()


def test_referits_pickles_take_ref_ids(tmp_path: Path):
    split = load_split("referit_test", write_referit_as_pickles(tmp_path / "data"))
    new = np.zeros((80, 100), bool)
    new[3:9, 5:50] = True
    other = split.with_truth(write(tmp_path, {"ref_id": {"3": code_of(new)}}))
    assert other.truth is not None
    assert other.truth.replaces == 2
    np.testing.assert_array_equal(masks_of(other)[3], new)


@given(st.integers(0, 2**30), st.integers(1, 12), st.integers(1, 12), st.floats(0, 1))
def test_a_box_from_codes_is_the_box_of_their_union(seed: int, height: int, width: int, share: float):
    dice = np.random.default_rng(seed)
    masks = [dice.random((height, width)) < share**2 for _ in range(dice.integers(0, 4))]
    parts = tuple(encode(mask) for mask in masks)
    assert box_round(parts) == box_of(union_of(parts, (height, width)))


def test_runs_of_no_length_do_not_stretch_a_box():
    # Ten columns of two pixels: ink of length 0 at pixel 3, then one pixel at 9 (column 4, row 1).
    part: Any = {"size": [2, 10], "counts": [3, 0, 6, 1, 10]}
    assert box_round([part]) == Box(4, 1, 5, 2)
