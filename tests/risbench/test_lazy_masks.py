"""A lazy mask gives what its pixels give, whether it began as pixels or as a run-length code."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from helpers.examples import examples
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from made_up.samples import blobs
from pycocotools import mask as coco

from risbench import Box, MaskError
from risbench.masks import LazyMask, codes, pack, read_together, runs_of
from risbench.metrics.boxes import contour_boxes
from risbench.metrics.components import component_box
from risbench.metrics.overlap import overlap

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))
masks = arrays.arrays(np.bool_, sizes)
pairs = sizes.flatmap(lambda size: st.tuples(arrays.arrays(np.bool_, size), arrays.arrays(np.bool_, size)))


def coco_text(mask: np.ndarray) -> str:
    return coco.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"].decode()


def of_code(mask: np.ndarray) -> LazyMask:
    return LazyMask.of_code({"size": [*mask.shape], "counts": coco_text(mask)})


def forms(mask: np.ndarray) -> list[LazyMask]:
    """From contiguous pixels, from turned ones, from a code, and from run lengths."""
    turned = np.asfortranarray(mask)
    runs = LazyMask.of_code({"size": [*mask.shape], "counts": runs_of(of_code(mask).code).tolist()})
    return [LazyMask.of_pixels(mask), LazyMask.of_pixels(turned), of_code(mask), runs]


@given(masks)
@example(np.ones((1, 1), bool))
@example(np.zeros((1, 1), bool))
@example(np.ones((5, 3), bool))
@example(np.ones((1, 6), bool))
@example(np.ones((6, 1), bool))
@example(np.eye(7, dtype=bool))
def test_every_form_of_a_mask_gives_the_same(mask: np.ndarray):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    for at in range(4):
        assert forms(mask)[at].area == mask.sum()
        assert forms(mask)[at].code == {"size": [*mask.shape], "counts": coco_text(mask)}
        pixels = forms(mask)[at].pixels
        assert pixels.dtype == np.bool_
        assert np.array_equal(pixels, mask)
        assert np.array_equal(np.asarray(forms(mask)[at]), mask)
        left, top, inside = forms(mask)[at].window
        if not mask.any():
            assert (left, top, inside.shape) == (0, 0, (0, 0))
            continue
        assert (left, top) == (columns[0], rows[0])
        assert np.array_equal(inside, mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


@given(pairs)
def test_overlaps_are_those_of_the_pixels_whatever_the_forms(pair: tuple[np.ndarray, np.ndarray]):
    one, other = pair
    expected = (np.count_nonzero(one & other), np.count_nonzero(one | other))
    for first in forms(one):
        for second in forms(other):
            assert overlap(first, second) == expected


@given(masks, st.integers(-2, 26), st.integers(-2, 26))
def test_a_pixel_is_covered_where_it_is_set_and_never_outside(mask: np.ndarray, row: int, column: int):
    inside = 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]
    for form in forms(mask):
        assert form.covers(row, column) == (inside and mask[row, column])


@given(sizes.flatmap(lambda size: st.lists(arrays.arrays(np.bool_, size), max_size=5).map(lambda x: (size, x))))
def test_parts_are_laid_over_one_another_as_their_pixels_are(given_: tuple[tuple[int, int], list[np.ndarray]]):
    size, layers = given_
    count = np.sum(layers, axis=0, dtype=int) if layers else np.zeros(size, int)
    parts = [of_code(layer).code for layer in layers]
    for once, expected in ((False, count > 0), (True, count == 1)):
        found = LazyMask.of_parts(parts, size, once=once)
        assert np.array_equal(found.pixels, expected)
        assert LazyMask.of_parts(parts, size, once=once).code["counts"] == coco_text(expected)
        assert LazyMask.of_parts(parts, size, once=once).area == expected.sum()


def test_three_hundred_layers_are_not_counted_as_forty_four():
    parts = [of_code(np.ones((3, 4), bool)).code] * 257
    assert LazyMask.of_parts(parts, (3, 4), once=True).area == 0
    assert LazyMask.of_parts(parts, (3, 4)).area == 12


@given(masks, st.lists(st.integers(0, 30), max_size=4))
def test_codes_with_empty_runs_are_written_as_the_coco_tools_write_the_mask(mask: np.ndarray, places: list[int]):
    runs = runs_of(of_code(mask).code).tolist()
    for place in places:
        at = min(place, len(runs))
        runs[at:at] = [0, 0]
    for code in ({"size": [*mask.shape], "counts": runs}, pack(runs, mask.shape)):
        assert LazyMask.of_code(code).code["counts"] == coco_text(mask)
        assert overlap(LazyMask.of_code(code), LazyMask.of_pixels(mask)).intersection == mask.sum()


@given(masks, st.data())
def test_numbers_in_more_characters_than_they_need_are_written_in_as_many_as_they_need(mask: np.ndarray, data):
    text = coco_text(mask)
    ends = [at for at, one in enumerate(text) if ord(one) - 48 < 32]
    at = data.draw(st.sampled_from(ends))
    five = ord(text[at]) - 48
    longer = text[:at] + chr(48 + (five | 32)) + ("O" if five & 16 else "0") + text[at + 1 :]
    found = LazyMask.of_code({"size": [*mask.shape], "counts": longer})
    assert found.code["counts"] == text
    assert np.array_equal(found.pixels, mask)


def test_a_part_of_another_size_is_refused():
    code = of_code(np.ones((3, 4), bool)).code
    for parts in ((code,), (code, code)):
        with pytest.raises(MaskError, match=r"size \(3, 4\) in an image of size \(4, 3\)"):
            LazyMask.of_parts(parts, (4, 3))
    with pytest.raises(MaskError, match="a mask is bool"):
        LazyMask.of_pixels(np.ones((3, 4)))


def rings(draw: np.random.Generator) -> np.ndarray:
    """Rings in rings, and specks: components whose rectangles hold other components."""
    mask = np.zeros((60, 70), np.uint8)
    for _ in range(int(draw.integers(1, 6))):
        centre = tuple(draw.integers(0, 60, 2).tolist())
        cv2.circle(mask, centre, int(draw.integers(1, 30)), int(draw.integers(0, 2)), int(draw.integers(-1, 4)))
    mask[draw.integers(0, 60, 5), draw.integers(0, 70, 5)] ^= 1
    return mask.view(bool)


@given(st.integers(0, 10**6))
def test_boxes_of_components_and_contours_are_those_of_the_whole_image(seed: int):
    draw = np.random.default_rng(seed)
    for mask in (rings(draw), blobs(draw, (50, 60), float(draw.uniform(0.05, 0.9)), 3.0)):
        pixels = mask.view(np.uint8)
        _, _, table, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
        expected = None
        if mask.any():
            x, y, width, height, _ = table[1 + int(np.argmax(table[1:, cv2.CC_STAT_AREA]))].tolist()
            expected = Box(x, y, x + width, y + height)
        contours, _ = cv2.findContours(pixels, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
        boxes = [cv2.boundingRect(contour) for contour in contours]
        for form in forms(mask):
            assert component_box(form) == expected
            kept = contour_boxes(form).tolist()
            assert mask.all() or not mask.any() or all((x, y, u - x, v - y) in boxes for x, y, u, v in kept)
        assert len({contour_boxes(form).tobytes() for form in forms(mask)}) == 1


@examples(300)
@given(st.integers(0, 10**6))
def test_a_mask_that_its_runs_show_to_be_one_piece_has_one_contour(seed: int):
    draw = np.random.default_rng(seed)
    height, width = (int(side) for side in draw.integers(1, 14, 2))
    mask = np.zeros((height, width), dtype=bool)
    # A band, whose runs often touch at corners only; and some pixels beside it.
    top = bottom = int(draw.integers(0, height))
    for column in range(int(draw.integers(0, width)), width):
        mask[top : bottom + 1, column] = True
        top = int(np.clip(draw.integers(top - 2, bottom + 3), 0, height - 1))
        bottom = int(np.clip(top + draw.integers(0, 3), 0, height - 1))
    mask ^= draw.random((height, width)) < draw.choice([0, 0, 0.02])
    rect = of_code(mask).one_piece
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if rect is not None:
        assert [rect] == [cv2.boundingRect(contour) for contour in contours]


def test_an_ellipse_and_a_diagonal_are_known_to_be_one_piece_and_a_ring_is_not():
    y, x = np.ogrid[:40, :50]
    ellipse = ((y - 20) / 9) ** 2 + ((x - 22) / 14) ** 2 < 1
    assert of_code(ellipse).one_piece == cv2.boundingRect(ellipse.view(np.uint8))
    assert of_code(np.eye(7, dtype=bool)).one_piece == (0, 0, 7, 7)
    assert of_code(ellipse & ((y - 20) ** 2 + (x - 22) ** 2 > 16)).one_piece is None
    assert of_code(np.zeros((4, 4), dtype=bool)).one_piece is None


def stored_codes(draw: np.random.Generator) -> list[dict]:
    """Codes of small masks, of which some have a fault, or are written in another way."""
    found = []
    for _ in range(int(draw.integers(1, 12))):
        mask = draw.random((int(draw.integers(1, 9)), int(draw.integers(1, 9)))) < draw.uniform()
        code = {"size": [*mask.shape], "counts": coco_text(mask)}
        kind = draw.integers(0, 9)
        if kind == 0:
            code["counts"] += "1"
        elif kind == 1:
            code["counts"] = code["counts"][:-1]
        elif kind == 2:
            code["size"] = [code["size"][0] + 1, code["size"][1]]
        elif kind == 3:
            code["counts"] = runs_of(code).tolist()
        elif kind == 4:
            code["counts"] = "0" + code["counts"]
        elif kind == 5:  # its last number with one character more than it needs
            last = ord(code["counts"][-1]) - 48
            code["counts"] = code["counts"][:-1] + chr(48 + (last | 32)) + ("O" if last & 16 else "0")
        elif kind == 6:
            code["counts"] = code["counts"].encode()
        found.append(code)
    return found


def outcome(code: dict) -> object:
    try:
        read = codes.read(code)
    except MaskError as error:
        return str(error)
    return read.runs.tolist(), read.is_canonical


@examples(300)
@given(st.integers(0, 10**6))
def test_codes_read_together_are_those_read_one_by_one_and_faults_are_named_alike(seed: int):
    some = stored_codes(np.random.default_rng(seed))
    alone = [outcome(code) for code in some]
    with read_together(iter([None, "text", {"counts": 3}, {"counts": "", "size": [1, 1]}, *some])):
        assert [outcome(code) for code in some] == alone
    assert [outcome(code) for code in some] == alone


def test_codes_read_together_are_found_and_forgotten():
    code = of_code(np.eye(5, dtype=bool)).code
    with read_together([code]):
        assert codes.read(code) is codes.read(dict(code))
    assert codes.read(code) is not codes.read(code)


def test_a_character_that_no_code_has_spoils_no_other_code():
    right, wrong = of_code(np.eye(5, dtype=bool)).code, {"size": [5, 5], "counts": "5~1"}
    alone = outcome(right), outcome(wrong)
    with read_together([right, wrong]):
        assert (outcome(right), outcome(wrong)) == alone
