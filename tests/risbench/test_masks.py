"""Masks in and out of COCO's run-length code, compared with the COCO tools, and with malformed codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from risbench import Box, MaskError
from risbench.masks import box_of, decode, encode, pack, parts_of, rasterise, runs_of, size_of, union_of

# The COCO tools' own: they still return arrays through a protocol that NumPy has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
masks = arrays.arrays(np.bool_, sizes)
SIZE = (6, 5)


def coco_code(mask: np.ndarray) -> dict[str, Any]:
    packed = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": packed["counts"]}


def coco_mask(code: Any) -> np.ndarray:
    return coco.decode({**code, "counts": code["counts"].encode()}).astype(bool)


@given(masks)
@example(np.ones((1, 1), bool))
@example(np.zeros((1, 1), bool))
@example(np.ones((1, 7), bool))
@example(np.ones((7, 1), bool))
def test_a_mask_comes_back_as_it_went_in(mask: np.ndarray):
    back = decode(encode(mask))
    assert back.dtype == np.bool_
    assert back.shape == mask.shape
    assert back.flags.c_contiguous
    assert np.array_equal(back, mask)


@given(masks)
@example(np.ones((1, 1), bool))
@example(np.zeros((1, 1), bool))
def test_codes_are_those_of_the_coco_tools(mask: np.ndarray):
    theirs = coco_code(mask)
    assert encode(mask) == {**theirs, "counts": theirs["counts"].decode()}
    # As bytes, which is how the COCO tools give them, and as text.
    assert np.array_equal(decode(theirs), mask)
    assert np.array_equal(coco_mask(encode(mask)), mask)


def test_long_runs_and_long_differences_are_read_as_the_coco_tools_read_them():
    # One run has 200,000 pixels, the next but one is shorter by as many: numbers of several characters, both signs.
    mask = np.zeros((500, 1200), bool)
    mask[:, :400] = True
    mask[3, 400:410] = True
    mask[:, 1199] = True
    assert np.array_equal(decode(encode(mask)), mask)
    assert np.array_equal(coco_mask(encode(mask)), mask)


@given(masks)
def test_views_and_other_memory_orders_encode_alike(mask: np.ndarray):
    turned = np.asfortranarray(mask)
    assert encode(turned) == encode(mask)
    assert np.array_equal(decode(encode(mask[::-1, ::-1])), mask[::-1, ::-1])


@given(masks)
def test_a_list_of_lengths_means_the_same_as_its_packed_text(mask: np.ndarray):
    code = encode(mask)
    lengths = runs_of(code).tolist()
    assert sum(lengths) == mask.size
    plain = {"size": list(mask.shape), "counts": lengths}
    assert np.array_equal(decode(plain), mask)
    assert np.array_equal(decode(pack(lengths, mask.shape)), mask)
    assert parts_of(plain, mask.shape)[0] == code


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([10, 10], "cover 20 pixels"),
        ([10, 21], "cover 31 pixels"),
        ([], "cover 0 pixels"),
        ("", "cover 0 pixels"),
        ([31, -1], "negative"),
        ([-5, 35], "negative"),
        ([10**6], "longer than the image"),
        ([2**70], "too large"),
        ([2**62, 2**62, 2**62, 2**62, 30], "longer than the image"),  # the sum wraps round to 30
        ([30.0], "not a whole number"),
        ([True, 29], "not a whole number"),
        (["30"], "not a whole number"),
        ([None], "not a whole number"),
        ([[30]], "not a whole number"),
        (np.array([[10, 20]]), "not a whole number"),
        (np.array([30], np.uint64) + np.uint64(2**63), "negative|too large"),
        (None, "must be text or a list"),
        (30, "must be text or a list"),
        ({"0": 30}, "must be text or a list"),
        ("é", "not ASCII"),
        ("n ", "outside"),
        ("n/", "outside"),
        ("np", "outside"),
        (b"n\xff", "outside"),
        ("\0", "outside"),
        ("n", "in the middle of a number"),
        ("P", "in the middle of a number"),
        ("oooooooooooooo0", "too long"),
        ("oooooooo0", "too long"),
        ("0" * 1000, "cover 0 pixels"),
    ],
)
def test_a_malformed_code_is_refused_with_its_reason(counts: Any, reason: str):
    code = {"size": list(SIZE), "counts": counts}
    with pytest.raises(MaskError, match=reason):
        runs_of(code)
    with pytest.raises(MaskError, match=reason):
        decode(code)
    with pytest.raises(MaskError, match=reason):
        parts_of(code, SIZE)


@pytest.mark.parametrize(
    "size",
    [
        None,
        30,
        "6x5",
        [6],
        [6, 5, 1],
        [6.5, 5],
        [float("nan"), 5],
        [float("inf"), 5],
        [0, 5],
        [-6, -5],
        [True, 5],
        ["6", "five"],
        ["6", "-5"],
        ["6", "5.0"],
        ["6", ""],
        [1 << 15, 1 << 14],
        [2**70, 1],
    ],
)
def test_a_size_that_is_none_is_refused(size: Any):
    with pytest.raises(MaskError, match="'size' must be"):
        decode({"size": size, "counts": [30]})


@pytest.mark.parametrize("code", [None, [], "code", 5, {}])
def test_what_is_no_code_at_all_is_refused(code: Any):
    with pytest.raises(MaskError):
        size_of(code)


def test_malformed_codes_never_reach_the_c_code(monkeypatch: pytest.MonkeyPatch):
    def reached(*_: object) -> None:
        raise AssertionError("C code was asked")

    monkeypatch.setattr(
        "risbench.masks.codes.coco_tools", lambda: type("Coco", (), {"frPyObjects": reached, "decode": reached})
    )
    for counts in ([31, -1], [5], "n", "n ", [2**70]):
        with pytest.raises(MaskError):
            parts_of({"size": list(SIZE), "counts": counts}, SIZE)
    with pytest.raises(MaskError):
        parts_of([[0, 0, 1e9, 0, 1e9, 1e9]], SIZE)


@given(
    st.one_of(
        st.binary(max_size=30), st.text(max_size=30), st.text("0123456789:;<=>?@ABCDEFGHIJKLMNO`abmno", max_size=30)
    )
)
def test_random_bytes_are_refused_or_are_a_mask_of_the_size_they_name(counts: bytes | str):
    try:
        mask = decode({"size": list(SIZE), "counts": counts})
    except MaskError:
        return
    assert mask.shape == SIZE
    # What is read at all is read as the COCO tools read it.
    raw = counts if isinstance(counts, bytes) else counts.encode()
    assert np.array_equal(mask, coco.decode({"size": list(SIZE), "counts": raw}).astype(bool))


@given(st.lists(st.integers(-2, 31), max_size=8))
def test_random_lengths_are_refused_unless_they_cover_the_image(lengths: list[int]):
    code = {"size": list(SIZE), "counts": lengths}
    if min(lengths, default=0) >= 0 and sum(lengths) == 30:
        assert decode(code).sum() == sum(lengths[1::2])
    else:
        with pytest.raises(MaskError):
            decode(code)


@pytest.mark.parametrize("mask", [np.zeros((3, 3), np.uint8), np.zeros((3, 3, 1), bool), np.zeros(3, bool)])
def test_only_bool_masks_of_two_axes_are_encoded(mask: np.ndarray):
    with pytest.raises(MaskError, match="bool"):
        encode(mask)


POLYGON = [1.0, 1.0, 4.0, 1.0, 4.0, 5.0]


def test_every_form_of_an_annotation_gives_its_parts():
    mask = np.zeros(SIZE, bool)
    mask[1:4, 2:4] = True
    code = encode(mask)
    crowd = {"size": list(SIZE), "counts": runs_of(code).tolist()}
    as_bytes = {**code, "counts": code["counts"].encode()}
    drawn = rasterise([POLYGON], SIZE)
    assert parts_of([POLYGON], SIZE) == drawn
    assert parts_of([POLYGON, POLYGON], SIZE) == drawn * 2
    assert parts_of(((*POLYGON,),), SIZE) == drawn
    assert parts_of([np.array(POLYGON)], SIZE) == drawn
    for one in (code, as_bytes, crowd):
        assert parts_of(one, SIZE) == (code,)
        assert parts_of([one, code], SIZE) == (code, code)


@pytest.mark.parametrize("nothing", [None, [], (), {}, ""])
def test_an_empty_annotation_has_no_parts_and_an_empty_mask(nothing: Any):
    assert parts_of(nothing, SIZE) == ()
    assert not union_of((), SIZE).any()
    assert union_of((), SIZE).shape == SIZE


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[0, 0, 1e9, 0, 1e9, 1e9]], "far outside"),
        ([[0, 0, float("nan"), 0, 1, 1]], "far outside"),
        ([[0, 0, float("inf"), 0, 1, 1]], "far outside"),
        ([["0", "0", "1", "0", "1", "1"]], "not a number"),
        ([[0, 0, None, 0, 1, 1]], "not a number"),
        ([[0, 0, 10**400, 0, 1, 1]], "not a number"),
        ([[0, 0, [1, 2], 0, 1, 1]], "not a number"),
        ([[[0, 0], [1, 0], [1, 1], [0, 1], [0, 2], [0, 3]]], "far outside"),
        (["polygon"], "must be a list of numbers"),
        ("polygon", "must be a list of numbers"),
        (5, "must be a list of numbers"),
        ([POLYGON, {"size": [6, 5], "counts": [30]}], "must be a list of numbers"),
        ({"size": [5, 6], "counts": [30]}, "in an image of size"),
        ([{"size": [6, 5], "counts": [30]}, {"size": [5, 6], "counts": [30]}], "in an image of size"),
    ],
)
def test_wild_annotations_are_refused(segmentation: Any, reason: str):
    with pytest.raises(MaskError, match=reason):
        parts_of(segmentation, SIZE)


@pytest.mark.parametrize("part", [[], [1, 2], [1, 2, 3], [0, 0, 1, 1], [0, 0, 1, 1, 2]])
def test_a_part_of_fewer_than_three_corners_covers_no_pixel_as_in_the_coco_tools(part: list[float]):
    theirs = coco.frPyObjects([POLYGON, part], *SIZE)
    ours = parts_of([POLYGON, part], SIZE)
    assert [decode(one).sum() for one in ours] == [int(coco.area(one)) for one in theirs]
    np.testing.assert_array_equal(union_of(ours, SIZE), coco.decode(theirs).any(axis=2))
    # Where such a part comes first the COCO tools fail; the mask is the same for us.
    assert parts_of([part, POLYGON], SIZE) == ours[::-1]
    assert not union_of(parts_of([part], SIZE), SIZE).any()


def test_a_number_without_its_pair_is_passed_over_as_in_the_coco_tools():
    odd = [*POLYGON, 3.5]
    assert parts_of([odd], SIZE) == parts_of([POLYGON], SIZE)
    assert coco.frPyObjects([odd], *SIZE) == coco.frPyObjects([POLYGON], *SIZE)


corners = st.floats(-20, 60, allow_nan=False)


@given(
    sizes,
    st.lists(st.lists(corners, min_size=6, max_size=12).filter(lambda p: len(p) % 2 == 0), min_size=1, max_size=3),
)
def test_polygons_are_filled_as_the_coco_tools_fill_them(size: tuple[int, int], polygons: list[list[float]]):
    ours = rasterise(polygons, size)
    theirs = coco.frPyObjects(polygons, *size)
    assert len(ours) == len(polygons)
    for part, code in zip(ours, theirs, strict=True):
        assert np.array_equal(decode(part), coco.decode(code).astype(bool))
    merged = coco.decode(coco.merge(theirs)).astype(bool)
    assert np.array_equal(union_of(ours, size), merged)


@given(sizes.flatmap(lambda size: st.lists(arrays.arrays(np.bool_, size), min_size=1, max_size=4)))
def test_the_union_covers_what_any_part_covers(layers: list[np.ndarray]):
    union = union_of([encode(layer) for layer in layers], layers[0].shape)
    assert np.array_equal(union, np.logical_or.reduce(layers))


@given(masks)
def test_a_box_is_the_smallest_that_holds_the_mask(mask: np.ndarray):
    box = box_of(mask)
    if not mask.any():
        assert box is None
        return
    rows, columns = np.nonzero(mask)
    assert box == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
