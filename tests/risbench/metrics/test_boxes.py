import cv2
import numpy as np
import pytest
import torch
import torchvision
from helpers import authors
from helpers.examples import examples
from hypothesis import given
from hypothesis import strategies as st
from made_up.samples import blobs, block

from risbench.masks import LazyMask, encode
from risbench.metrics import components, contours
from risbench.metrics.boxes import best_box_iou, box_iou, contour_boxes, odd_suppression
from risbench.metrics.components import component_box
from risbench.metrics.contours import best_contour_iou
from risbench.records import Box


def test_one_rectangle_gives_its_box():
    assert contour_boxes(block((100, 120), 10, 20, 40, 60)).tolist() == [[20, 10, 60, 40]]


def test_a_single_pixel_ranks_beside_the_big_object():
    mask = block((100, 120), 10, 20, 40, 60)
    mask[80, 100] = True
    assert contour_boxes(mask).tolist() == [[100, 80, 101, 81], [20, 10, 60, 40]]


def test_a_ring_gives_its_outer_box():
    mask = block((100, 120), 10, 10, 90, 110)
    mask[30:50, 40:80] = False
    assert contour_boxes(mask).tolist() == [[10, 10, 110, 90]]


@pytest.mark.parametrize("value", [False, True])
def test_empty_and_full_masks_give_the_dummy_box(value):
    assert contour_boxes(np.full((30, 40), value)).tolist() == [[0, 0, 1, 1]]


@examples(120)
@given(st.integers(0, 99999), st.floats(0.01, 0.9), st.floats(0.5, 9.0))
def test_boxes_equal_the_authors_with_their_colour_map(seed, share, smooth):
    # The colour map makes a binary mask 0 or 255, so leaving it out changes nothing: this is the proof.
    generator = np.random.default_rng(seed)
    mask = blobs(generator, (int(generator.integers(20, 90)), int(generator.integers(20, 90))), share, smooth)
    expected = [list(map(int, box[:4])) for box in authors.generate_boxes(mask.astype(np.float32), colour=True)]
    assert contour_boxes(mask).tolist() == expected[: None if mask.any() and not mask.all() else 1]


@examples(150)
@given(st.lists(st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 60)] * 2), min_size=1, max_size=25), st.data())
def test_odd_suppression_equals_torchvision_on_the_same_odd_boxes(rects, data):
    # Few values, so that ties and their order are tested too.
    scores = data.draw(st.lists(st.sampled_from([0.2, 0.5, 0.7, 1.0]), min_size=len(rects), max_size=len(rects)))
    expected = torchvision.ops.nms(torch.tensor(rects, dtype=torch.float32), torch.tensor(scores), 0.05)
    assert odd_suppression(np.array(rects), np.array(scores)).tolist() == expected.tolist()


def test_the_largest_component_is_eight_connected():
    mask = np.zeros((20, 20), dtype=bool)
    mask[2, 2] = mask[3, 3] = mask[4, 4] = True
    mask[10, 10:12] = True
    assert component_box(mask) == Box(2, 2, 5, 5)
    assert component_box(np.zeros((5, 5), dtype=bool)) is None


def test_box_iou_by_hand():
    assert box_iou(Box(0, 0, 10, 10), Box(5, 0, 15, 10)) == 50 / 150
    assert box_iou(Box(0, 0, 10, 10), Box(10, 0, 20, 10)) == 0.0
    assert box_iou(Box(3, 3, 3, 3), Box(3, 3, 3, 3)) == 0.0


SIDES = st.floats(-50, 700, allow_subnormal=False).map(lambda side: round(side, 2))


@given(
    st.lists(st.tuples(*[st.integers(0, 640)] * 4), min_size=1, max_size=12),
    st.tuples(SIDES, SIDES, SIDES, SIDES),
)
def test_the_best_box_is_found_with_the_same_bits_as_one_by_one(some, truth):
    one_by_one = max(box_iou(Box(*map(float, box)), Box(*truth)) for box in some)
    assert best_box_iou(np.array(some), Box(*truth)) == one_by_one


@examples(300)
@given(st.integers(0, 10**6))
def test_components_are_as_large_as_their_contours_say(seed):
    draw = np.random.default_rng(seed)
    for mask in (spotted(draw), draw.random((12, 14)) < draw.uniform(0.1, 0.95)):
        found, tree = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        if not found:
            continue
        rows = tree[0].tolist()
        _, _, table, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
        sizes = [
            (*cv2.boundingRect(found[place]), components._pixels_of(place, found, rows))
            for place, (_, _, _, parent) in enumerate(rows)
            if parent < 0
        ]
        assert sorted(sizes) == sorted(map(tuple, table[1:].tolist()))


def test_the_box_of_the_largest_component_is_that_of_the_whole_image_also_among_equals():
    draw = np.random.default_rng(0)
    for _ in range(2000):
        size = tuple(draw.integers(1, 30, 2))
        mask = np.zeros(size, dtype=bool)
        for _ in range(int(draw.integers(0, 6))):  # many are one or two pixels, so that the largest are often equal
            y, x = draw.integers(0, size[0]), draw.integers(0, size[1])
            mask[y : y + draw.integers(1, 3), x : x + draw.integers(1, 3)] = True
        pixels = mask.view(np.uint8)
        _, _, table, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
        if not mask.any():
            assert component_box(mask) is None
            continue
        x, y, width, height, _ = table[1 + int(np.argmax(table[1:, cv2.CC_STAT_AREA]))].tolist()
        assert component_box(mask) == Box(x, y, x + width, y + height)


@examples(300)
@given(st.tuples(*[st.integers(0, 2895)] * 4), st.tuples(*[st.integers(0, 2895)] * 4))
def test_two_boxes_overlap_number_by_number_as_they_do_in_arrays(one, other):
    is_first_alone = odd_suppression(np.array([one, other]), np.array([1.0, 0.9])).tolist() == [0]
    assert contours._suppresses(one, other) == contours._suppresses(other, one) == is_first_alone


def spotted(draw: np.random.Generator) -> np.ndarray:
    """Rectangles and their holes, some of one pixel, so that many boxes overlap and many are equally filled."""
    height, width = (int(side) for side in draw.integers(1, 60, 2))
    mask = draw.random((height, width)) < draw.choice([0, 0, 0, 0.02, 0.3])
    for _ in range(int(draw.integers(0, 9))):
        y, x = draw.integers(0, height), draw.integers(0, width)
        mask[y : y + draw.integers(1, 30), x : x + draw.integers(1, 30)] ^= True
    return mask


@examples(300)
@given(st.integers(0, 10**6))
def test_the_best_contour_is_found_without_the_others_as_among_all(seed):
    draw = np.random.default_rng(seed)
    smooth = blobs(draw, (50, 60), float(draw.uniform(0.05, 0.9)), 2.0)
    for mask in (spotted(draw), smooth):
        coded, boxes = LazyMask.of_code(encode(mask)), contour_boxes(mask)
        for _ in range(6):
            truth = Box(*draw.uniform(-5, 65, 4).tolist())
            expected = best_box_iou(boxes, truth)
            assert best_contour_iou(mask, truth) == best_contour_iou(coded, truth) == expected
        for x0, y0, x1, y1 in boxes.tolist():
            assert best_contour_iou(coded, Box(x0, y0, x1, y1)) == 1.0


def test_the_best_contour_of_an_image_beyond_float32_is_that_of_the_arrays():
    mask = np.zeros((20, 3000), dtype=bool)
    mask[3:9, 10:2990] = mask[12:18, 5:40] = mask[12:18, 2900:2999] = True
    truth = Box(2890, 10, 3000, 19)
    assert best_contour_iou(mask, truth) == best_box_iou(contour_boxes(mask), truth) > 0


def test_a_quotient_at_the_bound_itself_is_rounded_as_float32_rounds_it():
    # Of two boxes that share 1 of 20 parts: 1 / 20 is above 0.05 once it is rounded to float32.
    for rects in ([(0, 0, 21, 1), (20, 0, 20 + 1, 1)], [(0, 0, 10, 2), (9, 0, 10, 1)], [(0, 0, 20, 1), (19, 0, 20, 1)]):
        expected = odd_suppression(np.array(rects), np.array([1.0, 0.9])).tolist()
        assert contours._suppresses(*rects) == (expected == [0])
