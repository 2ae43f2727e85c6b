from __future__ import annotations

from pathlib import Path

import pytest
from helpers.annotations import annotation, image, ref, sentence, write_refer, write_referit_as_pickles

from risbench.datasets.audit.image_list import read_image_list
from risbench.datasets.audit.leaks import Leak, find_leaks, find_listed, standing_warning, with_standing
from risbench.datasets.audit.repeats import Repeats
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
    leaks = [(leak.trained_on, leak.tested, leak.images, leak.of_images) for leak in find_leaks(tmp_path)]
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
    message = [(str(one.path.relative_to(tmp_path)), one.found, one.what) for one in wanted]
    assert message[:4] == [
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


def _texts(root: Path, folder: str, refs_file: str, placed: list[tuple[str, int, list[str]]]) -> None:
    """Refs of (split, annotation, texts); annotations 2n and 2n + 1 lie in image n."""
    images = [image(n, (4, 4)) for n in range(6)]
    anns = [annotation(n, n // 2, [0, 0, 2, 2], [[0, 0, 2, 0, 2, 2]]) for n in range(12)]
    refs = []
    for n, (split, ann, texts) in enumerate(placed):
        refs.append(ref(n, ann, ann // 2, split, [sentence(10 * n + m, text) for m, text in enumerate(texts)]))
    write_refer(root, {"images": images, "annotations": anns, "categories": []}, refs, folder, refs_file)


def test_equal_and_nearly_equal_texts_are_counted_where_images_are_shared(tmp_path: Path):
    trained_on = [("train", 0, ["left man", "man in red"]), ("train", 1, ["the dog"]), ("train", 4, ["far away"])]
    tested = [
        # In image 0: equal but for case, nearly equal, another colour, and equal to what was said of object 1.
        ("test", 0, ["Left man!", "man on the left", "man in blue", "the dog"]),
        ("test", 8, ["far away", "man in red"]),  # image 4 is in test alone
    ]
    _texts(tmp_path, "refcoco", "refs(unc).p", trained_on)
    _texts(tmp_path, "refcocog", "refs(umd).p", tested)
    (leak,) = find_leaks(tmp_path, ["refcocog_test_u", "refcoco_train"])
    assert (leak.trained_on, leak.tested, leak.images, leak.objects) == ("refcoco_train", "refcocog_test_u", 1, 1)
    assert leak.texts == Repeats(of=6, shown=4, equal=2, near=1, equal_object=1, near_object=1, anywhere=4)


def test_named_pairs_are_compared_whatever_their_roles_and_whether_they_share_anything(tmp_path: Path):
    _texts(tmp_path, "refcoco", "refs(unc).p", [("testA", 0, ["x"]), ("testB", 0, ["X"]), ("val", 4, ["x"])])
    leaks = find_leaks(tmp_path, ["refcoco_testA", "refcoco_testB", "refcoco_val"])
    assert [(leak.trained_on, leak.tested, leak.images) for leak in leaks] == [
        ("refcoco_testA", "refcoco_testB", 1),
        ("refcoco_val", "refcoco_testA", 0),
        ("refcoco_val", "refcoco_testB", 0),
    ]
    assert leaks[0].texts == Repeats(1, 1, 1, 0, 1, 0, 1)
    assert leaks[1].texts == Repeats(1, 0, 0, 0, 0, 0, 1)
    with pytest.raises(UsageError, match="named twice"):
        find_leaks(tmp_path, ["refcoco+_val", "refcocoplus_val"])


def test_one_named_split_is_compared_with_all_that_are_there(tmp_path: Path):
    _write(tmp_path, "refcoco", "refs(unc).p", [("train", 0), ("val", 0), ("testA", 2), ("testA", 0)])
    leaks = find_leaks(tmp_path, ["refcoco_testA"])
    assert [(leak.trained_on, leak.tested) for leak in leaks] == [
        ("refcoco_train", "refcoco_testA"),
        ("refcoco_val", "refcoco_testA"),
    ]


def test_other_collections_share_texts_only(tmp_path: Path):
    _texts(tmp_path, "refcoco", "refs(unc).p", [("train", 0, ["left man"])])
    _texts(tmp_path, "refclef", "refs(unc).p", [("testA", 0, ["LEFT man", "sky"])])
    (leak,) = find_leaks(tmp_path, ["refcoco_train", "referit_testA_unc"])
    assert (leak.images, leak.objects) == (None, None)
    assert leak.texts == Repeats(2, 0, 0, 0, None, None, 1)


def test_objects_without_a_target_are_no_shared_object(tmp_path: Path):
    placed: list = [("train", None, 0, "x"), ("val", None, 0, "x")]
    images = [image(0, (4, 4))]
    refs = [ref(n, ann, at, split, [sentence(n, text)]) for n, (split, ann, at, text) in enumerate(placed)]
    write_refer(tmp_path, {"images": images, "annotations": [], "categories": []}, refs)
    (leak,) = find_leaks(tmp_path, ["refcoco_train", "refcoco_val"])
    assert leak.texts == Repeats(1, 1, 1, 0, 0, 0, 1)


LISTS = {
    "ids a line": "# trained on\n0\n\n2\n77\n",
    "names a line": "COCO_train2014_000000000000.jpg\nsome/where/COCO_train2014_000000000002.jpg\nodd.jpg\n",
    "later COCO names": "000000000000.jpg\r\n000000000002.jpg\r\n000000000077.jpg",
    "a JSON list": "[0, 2, 77]",
    "JSON of names": '["COCO_val2014_000000000000.jpg", "2.jpg", "x.png"]',
    "COCO's JSON": '{"images": [{"id": 0, "file_name": "a"}, {"image_id": 2}, {"file_name": "b.jpg"}]}',
}


@pytest.mark.parametrize("form", LISTS)
def test_a_list_of_training_images_is_held_against_a_split(tmp_path: Path, form: str):
    _texts(tmp_path, "refcoco", "refs(unc).p", [("val", 0, ["a", "b"]), ("val", 8, ["c"]), ("train", 4, ["d"])])
    path = tmp_path / "list.txt"
    path.write_text(LISTS[form])
    (leak,) = find_listed(read_image_list(path), ["refcoco_val"], tmp_path)
    assert (leak.trained_on, leak.tested, leak.images, leak.of_images) == ("list.txt", "refcoco_val", 1, 2)
    assert leak.listed == (2, 3)
    assert leak.texts == Repeats(of=3, shown=2)
    assert (leak.objects, leak.of_objects) == (None, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names no image"),
        ("# nothing\n", "names no image"),
        ("[1, null]", "entry 1 is neither an id nor a file name"),
        ("[true]", "entry 0 is neither"),
        ('{"files": []}', "is not a list of images"),
        ("[1, 2", "not JSON"),
    ],
)
def test_a_list_that_is_none_is_refused_by_name(tmp_path: Path, content: str, message: str):
    path = tmp_path / "list.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as refused:
        read_image_list(path)
    assert "list.txt" in str(refused.value)
    with pytest.raises(DataError, match=r"none\.txt: cannot be read"):
        read_image_list(tmp_path / "none.txt")


def test_googles_own_overlap_is_a_standing_warning_with_or_without_the_data(tmp_path: Path):
    # 24,698 + 4,650 images of 21,899 + 1,300 + 2,600: at least 3,549 are in both, of val 76 %.
    assert "at least 3,549 of val's images (76%)" in standing_warning()
    (alone,) = with_standing(find_leaks(tmp_path))
    assert (alone.trained_on, alone.tested, alone.images) == ("refcocog_train_g", "refcocog_val_g", None)
    assert alone.standing == standing_warning()
    assert with_standing([], ["refcocog_val_g", "refcoco_train"])[0].standing
    assert with_standing([], ["refcocog_val_u", "refcoco_train"]) == []
    _write(tmp_path, "refcocog", "refs(google).p", [("train", 0), ("val", 1), ("val", 2)])
    (measured,) = with_standing(find_leaks(tmp_path))
    assert (measured.images, measured.of_images, measured.objects) == (1, 2, 0)
    assert measured.standing == standing_warning()
