"""What a look without decoding sees, what only a deep one sees, and what is noted without being a fault."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.annotations import annotation, code_of, image, rectangle, ref, sentence, write_image, write_refer
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from risbench import DataError
from risbench.datasets.annotations.outlines import Outlines
from risbench.datasets.audit.extents import beyond, extents_of, in_common
from risbench.datasets.audit.split_check import Report, check_split
from risbench.datasets.images import read_header, read_image
from risbench.datasets.load import load_split

SIZE = (40, 60)


def noisy(path: Path, kind: str, size: tuple[int, int] = SIZE) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, kind)
    return path


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP"])
def test_a_header_tells_the_format_and_the_size(tmp_path: Path, kind: str):
    path = noisy(tmp_path / "image", kind)
    assert read_header(path, SIZE).format == kind
    with pytest.raises(DataError, match=r"40x60 .height x width., its annotation says 60x40"):
        read_header(path, (60, 40))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_cut_anywhere_is_seen_without_decoding(tmp_path: Path, kind: str):
    path = noisy(tmp_path / "image", kind)
    whole = path.read_bytes()
    for length in (0, 1, 20, len(whole) // 3, len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="image"):
            read_header(path, SIZE)


def test_what_stands_behind_the_end_of_an_image_is_no_fault(tmp_path: Path):
    path = noisy(tmp_path / "image", "JPEG")
    path.write_bytes(path.read_bytes() + b"\0" * 7)
    assert read_header(path, SIZE).format == "JPEG"


def test_damage_in_the_middle_needs_a_deep_look(tmp_path: Path):
    root = write_refer(
        tmp_path,
        {"images": [image(1, SIZE)], "annotations": [annotation(1, 1, [5, 5, 10, 10], BOX)], "categories": []},
        [ref(1, 1, 1, "val", [sentence(1, "x")])],
    )
    path = root / "train2014/COCO_train2014_000000000001.jpg"
    path.parent.mkdir()
    stream = BytesIO()
    noisy(tmp_path / "a.png", "PNG")
    Image.open(tmp_path / "a.png").save(stream, "PNG")
    content = bytearray(stream.getvalue())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    quick, deep = check_split("refcoco_val", root), check_split("refcoco_val", root, deep=True)
    assert (quick.ok, quick.formats, quick.deep) == (True, {"PNG": 1}, False)
    assert [problem.kind for problem in deep.problems] == ["image"]
    assert (deep.formats, deep.deep, deep.images_present, deep.images_absent) == ({}, True, 1, 0)


BOX = [[5.0, 5.0, 15.0, 5.0, 15.0, 15.0, 5.0, 15.0]]


def look(root: Path, segmentation: Any, box: Any, deep: bool = False) -> Report:
    anns = [annotation(1, 1, box, segmentation)]
    content = {"images": [image(1, SIZE)], "annotations": anns, "categories": []}
    write_refer(root, content, [ref(1, 1, 1, "val", [sentence(1, "x")])])
    return check_split("refcoco_val", root, images=False, deep=deep)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    ("right", "message"),
    [(60, None), (61, None), (61.01, "reaches 1.0 pixels beyond its 40x60 image"), (75, "reaches 15.0 pixels")],
)
def test_a_polygon_may_reach_one_pixel_out_of_its_image(tmp_path: Path, right: float, message: str | None, deep: bool):
    report = look(tmp_path, [[40, 5, right, 5, right, 15, 40, 15]], [40, 5, right - 40, 10], deep)
    masks = [problem.text for problem in report.problems if problem.kind == "mask"]
    assert len(masks) == (message is not None)
    assert message is None or message in masks[0]


def test_each_side_of_the_image_is_a_border(tmp_path: Path):
    for polygon in ([-2, 5, 9, 5, 9, 9], [5, -2, 9, 5, 9, 9], [5, 5, 62, 5, 9, 9], [5, 5, 9, 5, 9, 42]):
        (problem,) = [one for one in look(tmp_path, [polygon], [0, 0, 60, 40]).problems if one.kind == "mask"]
        assert "reaches 2.0 pixels" in problem.text


@pytest.mark.parametrize("bad", [[1, 2, 3, 4], [1, 2], [7, 7, 9, 7, 9, 9, 7], []])
@pytest.mark.parametrize("deep", [False, True])
def test_a_polygon_too_short_or_odd_is_named_and_no_fault_beside_a_good_one(
    tmp_path: Path, bad: list[float], deep: bool
):
    report = look(tmp_path, [*BOX, bad], [5, 5, 10, 10], deep)
    assert (report.ok, report.masks) == (True, 1)
    (note,) = [note for note in report.notes if note.kind == "polygons"]
    assert (note.count, note.text.endswith("annotation 1")) == (1, True)


@pytest.mark.parametrize("nothing", [[[1, 2, 3, 4]], [[]], [[1, 2], [3, 4, 5]], {"size": [40, 60], "counts": [2400]}])
def test_an_object_whose_parts_cover_no_pixel_is_a_broken_annotation(tmp_path: Path, nothing: Any):
    report = look(tmp_path, nothing, [5, 5, 10, 10])
    assert [(problem.kind, problem.name) for problem in report.problems] == [("mask", "annotation 1")]
    assert "covers no pixel, so every prediction scores 0" in report.problems[0].text
    assert (report.masks, report.without_mask) == (0, 0)
    (sample,) = load_split("refcoco_val", tmp_path)
    assert len(sample.parts) > 0


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ([15, 15, -10, -10], "negative width or height"),
        ([15, 5, -10, 10], "negative width or height"),
        ([70, 5, 10, 10], "lies outside its 40x60 image"),
        ([5, -30, 10, 10], "lies outside its 40x60 image"),
    ],
)
def test_an_impossible_box_is_named(tmp_path: Path, box: list[float], fault: str):
    for segmentation in (BOX, []):
        (problem,) = look(tmp_path, segmentation, box).problems
        assert (problem.kind, problem.name) == ("box", "annotation 1")
        assert fault in problem.text


def test_a_box_turned_inside_out_is_refused_by_its_annotation(tmp_path: Path):
    look(tmp_path, BOX, [15, 15, -10, -10])
    with pytest.raises(DataError, match=r"annotation 1: its box has a negative width or height"):
        list(load_split("refcoco_val", tmp_path))


def test_thin_boxes_of_thin_polygons_fit(tmp_path: Path):
    assert look(tmp_path, [[5, 5, 25, 5, 15, 5]], [5, 5, 20, 0]).ok


def test_an_object_that_draws_no_pixel_is_seen_by_a_deep_look(tmp_path: Path):
    sliver = [[5.1, 5.1, 5.2, 5.1, 5.2, 5.2]]
    quick, deep = look(tmp_path, sliver, [5.1, 5.1, 0.1, 0.1]), look(tmp_path, sliver, [5.1, 5.1, 0.1, 0.1], deep=True)
    assert (quick.masks, quick.without_mask) == (1, 0)
    assert (deep.masks, deep.without_mask) == (0, 0)
    assert [problem.kind for problem in deep.problems] == ["mask"]


def test_codes_are_held_against_image_and_box(tmp_path: Path):
    code = code_of(rectangle(SIZE, 5, 5, 15, 15))
    assert look(tmp_path, code, [5, 5, 10, 10]).ok
    (problem,) = look(tmp_path, code, [30, 5, 10, 10]).problems
    assert "have 0% in common" in problem.text
    (problem,) = look(tmp_path, {**code, "size": [40, 59]}, [5, 5, 10, 10]).problems
    assert problem.kind == "mask"


def test_a_box_beyond_its_image_is_noted(tmp_path: Path):
    report = look(tmp_path, [[40, 5, 60, 5, 60, 15, 40, 15]], [40, 5, 25, 10])
    assert report.ok
    assert [(note.kind, note.count) for note in report.notes] == [("boxes", 1)]


def test_what_stands_twice_is_noted_and_no_fault(tmp_path: Path):
    anns = [annotation(n, 1, [5, 5, 10, 10], BOX) for n in (1, 2)] + [annotation(3, 2, [5, 5, 10, 10], BOX)]
    refs = [
        ref(10, 1, 1, "val", [sentence(1, "Left cup"), sentence(2, "left cup!"), sentence(3, "cup")]),
        ref(11, 1, 1, "val", [sentence(4, "LEFT CUP")]),  # the same object again
        ref(12, 2, 1, "val", [sentence(5, "cup"), sentence(6, "the other")]),
        ref(13, 3, 2, "val", [sentence(7, "cup")]),  # in another image
        ref(14, 3, 2, "train", [sentence(8, "cup")]),  # in another split
        ref(15, None, 2, "val", [sentence(9, "cup")]),  # about nothing
    ]
    root = write_refer(tmp_path, {"images": [image(1, SIZE), image(2, SIZE)], "annotations": anns}, refs)
    report = check_split("refcoco_val", root, images=False)
    assert report.ok
    notes = {note.kind: (note.count, note.text) for note in report.notes}
    assert notes["texts"][0] == 2
    assert "(1 object), the first 'left cup!'" in notes["texts"][1]
    assert notes["ambiguous"][0] == 4  # "cup" of objects 1 and 2 in image 1, of object 3 and of nothing in image 2
    assert "(2 images)" in notes["ambiguous"][1]
    assert notes["objects"] == (1, "1 object has several refs, the first 10, 11")


def test_many_images_are_looked_at_in_order(tmp_path: Path):
    count = 40
    images = [image(n, SIZE) for n in range(count)]
    anns = [annotation(n, n, [5, 5, 10, 10], BOX) for n in range(count)]
    refs = [ref(n, n, n, "val", [sentence(n, f"number {n}")]) for n in range(count)]
    root = write_refer(tmp_path, {"images": images, "annotations": anns}, refs)
    for n in range(0, count, 2):
        write_image(root / f"train2014/COCO_train2014_{n:012d}.jpg", SIZE)
    for deep in (False, True):
        report = check_split("refcoco_val", root, deep=deep)
        assert [problem.name for problem in report.problems] == [
            f"COCO_train2014_{n:012d}.jpg" for n in range(1, count, 2)
        ]
        assert (report.images_present, report.images_absent, report.formats) == (20, 20, {"JPEG": 20})


polygons = st.lists(
    st.lists(
        st.lists(st.integers(-9, 60), min_size=6, max_size=10).map(lambda sides: sides[: len(sides) // 2 * 2]),
        max_size=3,
    ),
    max_size=5,
)


@given(polygons)
def test_extents_are_those_of_each_annotations_corners(segmentations: list[list[list[int]]]):
    outlines = Outlines.pack(segmentations, lambda row, fault: ValueError(fault))
    found = extents_of(outlines, np.arange(len(segmentations)))
    for row, polygons in enumerate(segmentations):
        corners = np.array([side for polygon in polygons for side in polygon]).reshape(-1, 2)
        assert found.has[row] == bool(polygons)
        if polygons:
            assert found.sides[row].tolist() == [*corners.min(axis=0), *corners.max(axis=0)]
        else:
            assert np.isnan(found.sides[row]).all()
    assert not found.degenerate.any()
    backwards = extents_of(outlines, np.arange(len(segmentations))[::-1])
    np.testing.assert_array_equal(backwards.sides[::-1], found.sides)


def test_boxes_by_hand():
    sides = np.array([[0, 0, 60, 40], [-3, 0, 60, 45], [5, 5, 9, 9], [np.nan] * 4])
    assert beyond(sides, np.array([SIZE] * 4)).tolist() == [0, 5, 0, 0]
    # Grown by half a pixel: 4 x 4 and 4 x 4, 2 x 4 of them shared.
    assert in_common(np.array([[0, 0, 3, 3]]), np.array([[2, 0, 5, 3]])) == pytest.approx([8 / 24])


def test_a_look_and_a_reading_agree_on_what_is_an_image(tmp_path: Path):
    (tmp_path / "text.jpg").write_text("no image")
    for act in (read_header, read_image):
        with pytest.raises(DataError, match="not an image that can be read"):
            act(tmp_path / "text.jpg")
        with pytest.raises(DataError, match="no such image"):
            act(tmp_path / "none.jpg")
