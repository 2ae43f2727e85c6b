from __future__ import annotations

from pathlib import Path

import pytest
from made_up.annotations import annotation, image, ref, sentence, write_refer, write_referit_as_pickles

from risbench.datasets.leaks import Leak, find_leaks
from risbench.datasets.where import where
from risbench.errors import DataError, UsageError


def _write(root: Path, folder: str, refs_file: str, placed: list[tuple[str, int]]) -> None:
    """Refs of (split, annotation); annotations 2n and 2n + 1 lie in image n."""
    images = [image(n, (4, 4)) for n in range(6)]
    anns = [annotation(n, n // 2, [0, 0, 2, 2], [[0, 0, 2, 0, 2, 2]]) for n in range(12)]
    refs = [ref(n, ann, ann // 2, split, [sentence(n, "x")]) for n, (split, ann) in enumerate(placed)]
    write_refer(root, {"images": images, "annotations": anns, "categories": []}, refs, folder, refs_file)


def test_a_train_image_of_one_set_in_the_test_of_another_is_a_leak(tmp_path: Path):
    _write(tmp_path, "refcoco", "refs(unc).p", [("train", 0), ("train", 2), ("testA", 4)])
    _write(tmp_path, "refcocog", "refs(umd).p", [("test", 0), ("test", 3), ("test", 8), ("train", 10)])
    leaks = find_leaks(tmp_path)
    assert leaks == [Leak("refcoco_train", "refcocog_test_u", images=2, of_images=3, objects=1, of_objects=3)]


def test_two_train_splits_do_not_leak_and_the_worst_comes_first(tmp_path: Path):
    _write(tmp_path, "refcoco", "refs(unc).p", [("train", 0), ("val", 0), ("testA", 2), ("testA", 0)])
    _write(tmp_path, "refcoco+", "refs(unc).p", [("train", 0)])
    leaks = [(leak.seen, leak.tested, leak.images, leak.of_images) for leak in find_leaks(tmp_path)]
    assert leaks == [
        ("refcoco+_train", "refcoco_val", 1, 1),
        ("refcoco_train", "refcoco_val", 1, 1),
        ("refcoco+_train", "refcoco_testA", 1, 2),
        ("refcoco_train", "refcoco_testA", 1, 2),
        ("refcoco_val", "refcoco_testA", 1, 2),
    ]


def test_image_ids_are_compared_within_one_collection_only(tmp_path: Path):
    _write(tmp_path, "refcoco", "refs(unc).p", [("train", 0)])
    _write(tmp_path, "refclef", "refs(unc).p", [("testA", 0), ("testB", 0)])
    assert find_leaks(tmp_path) == []


def test_objects_numbered_differently_are_not_compared(tmp_path: Path):
    write_referit_as_pickles(tmp_path)
    images = [image(112, (100, 200), "112.jpg")]
    anns = [annotation("112_1", 112, [0, 0, 2, 2], [])]
    content = {"images": images, "annotations": anns, "categories": []}
    write_refer(tmp_path, content, [ref(1, "112_1", 112, "val", [])], "refclef", "refs(unc).p")
    found = {leak.tested: leak for leak in find_leaks(tmp_path)}
    assert found["referit_test"] == Leak("referit_val_unc", "referit_test", 1, 2, None, 3)


def test_a_named_split_that_is_missing_is_an_error(tmp_path: Path):
    assert find_leaks(tmp_path) == []
    with pytest.raises(DataError, match="no such file"):
        find_leaks(tmp_path, ["refcoco_val"])
    with pytest.raises(UsageError):
        find_leaks(tmp_path, ["refcoco_vall"])


def test_where_lists_each_file_with_where_it_comes_from(tmp_path: Path):
    _write(tmp_path, "refcoco", "refs(unc).p", [("train", 0)])
    wanted = where("refcoco_val", tmp_path)
    told = [(str(one.path.relative_to(tmp_path)), one.found, one.what) for one in wanted]
    assert told == [
        ("refer/refcoco/refs(unc).p", True, "annotations"),
        ("refer/refcoco/instances.json", True, "annotations"),
        ("train2014", False, "images"),
        ("images/mscoco/images/train2014", False, "images"),
    ]
    assert "lichengunc/refer" in wanted[0].origin
    assert "train2014.zip" in wanted[2].origin


def test_where_lists_both_layouts_of_referit(tmp_path: Path):
    wanted = where("referit_test", write_referit_as_pickles(tmp_path))
    first = [next(one for one in wanted if one.choice == choice) for choice in (0, 1)]
    assert [(one.path.name, one.found) for one in first] == [("test.pickle", True), ("refs(berkeley).p", False)]
    assert [one.what for one in where("shapes_val")] == ["annotations"]
