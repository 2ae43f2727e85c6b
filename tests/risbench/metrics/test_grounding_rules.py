"""The rules `mg` and `wwbl`: points and boxes of the grounding papers, on heats whose boxes are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from made_up.samples import block, sample_of

from risbench import Prediction
from risbench.metrics.boxes import contour_boxes
from risbench.metrics.metric_names import parse
from risbench.metrics.rules.mg import counted_from_half, grown_box
from risbench.metrics.rules.protocols import Rules
from risbench.metrics.rules.wwbl import union_box
from risbench.records import Box

SIZE = (40, 60)


def heat_of(*blocks: tuple[slice, slice, float]) -> np.ndarray:
    heat = np.zeros(SIZE, np.float32)
    for rows, columns, value in blocks:
        heat[rows, columns] = value
    return heat


def peaked(rows: slice, columns: slice, value: float) -> np.ndarray:
    """A block with one maximum, in its first pixel, from which it falls gently."""
    heat = np.zeros(SIZE, np.float32)
    down, along = np.ogrid[: rows.stop - rows.start, : columns.stop - columns.start]
    heat[rows, columns] = value * (1 - 0.02 * np.maximum(down, along))
    return heat


def test_mg_puts_one_box_round_the_regions_of_its_best_three_maxima():
    blocks = [(slice(2, 8), slice(3, 9), 1.0), (slice(20, 26), slice(40, 50), 0.8), (slice(30, 33), slice(2, 5), 0.6)]
    weak = peaked(slice(2, 5), slice(55, 59), 0.4)  # a fourth
    heat = sum(peaked(*block) for block in blocks) + weak
    assert grown_box(np.asarray(heat, np.float32), SIZE) == Box(2, 2, 49, 32)
    two = sum(peaked(*block) for block in blocks[:2])
    assert grown_box(np.asarray(two, np.float32), SIZE) == Box(3, 2, 49, 25)


def test_mg_looks_for_maxima_above_three_tenths_alone():
    heat = peaked(slice(2, 8), slice(3, 9), 1.0) + peaked(slice(20, 26), slice(40, 50), 0.29)
    assert grown_box(heat, SIZE) == Box(3, 2, 8, 7)


def test_of_two_regions_in_one_another_mg_drops_the_inner_one():
    heat = 0.42 * peaked(slice(5, 35), slice(5, 40), 1.0)  # the region of its maximum is the whole block
    heat[20:23, 20:23] = 0.98  # its region is itself alone: 0.3 * 1.3 is more than what is round it
    heat[21, 21] = 1.3
    # Alone it would leave the block's box; the inner region lies wholly in it and goes.
    assert grown_box(heat, SIZE) == Box(5, 5, 39, 34)


@pytest.mark.parametrize("heat", [np.zeros(SIZE), np.ones(SIZE), np.full((3, 3), -2.0)])
def test_a_heat_without_contrast_has_no_region_for_mg_and_one_pixel_for_wwbl(heat: np.ndarray):
    assert grown_box(heat.astype(np.float32), SIZE) is None
    assert union_box(heat.astype(np.float32)) == Box(0, 0, 1, 1)


def test_mg_drops_a_region_that_fills_nine_tenths_of_the_image():
    heat = np.full(SIZE, 0.9, np.float32)
    heat[0, 0], heat[5, 5] = 0.0, 1.0
    assert grown_box(heat, SIZE) is None


def test_wwbl_joins_the_boxes_that_tris_makes_of_a_mask():
    draw = np.random.default_rng(0)
    for _ in range(20):
        mask = np.kron(draw.random((4, 6)) < 0.3, np.ones((10, 10))) > 0
        if not mask.any() or mask.all():
            continue
        boxes = contour_boxes(mask)
        joined = Box(*(float(end) for end in (*boxes[:, :2].min(0), *boxes[:, 2:].max(0))))
        assert union_box(mask.astype(np.float32)) == joined


def test_wwbl_measures_boxes_in_fractions_of_heat_and_image():
    sample = sample_of(block(SIZE, 10, 15, 30, 45))
    heat = np.zeros((8, 8), np.float32)
    heat[2:6, 2:6] = 1  # a quarter to three quarters of both sides, as the object
    verdict = Rules("wwbl").judge(sample, Prediction(heat=heat))
    assert verdict.scores.box_iou == pytest.approx(1.0)
    assert verdict.scores.hit_box
    assert verdict.scores.hit_mask


@pytest.mark.parametrize("name", ["mg", "wwbl"])
def test_the_last_row_and_column_of_a_box_count_and_half_an_overlap_does(name: str):
    sample = sample_of(block(SIZE, 10, 15, 30, 45))
    at = {place: Prediction(mask=np.zeros(SIZE, bool), point=place) for place in ((45.5, 30.5), (46.0, 30.0))}
    assert [Rules(name).judge(sample, answer).scores.hit_box for answer in at.values()] == [True, False]
    half = Prediction(mask=np.zeros(SIZE, bool), boxes=np.array([[15.0, 10.0, 45.0, 20.0]]))
    iou = Rules(name).judge(sample, half).scores.box_iou
    assert iou is not None
    assert iou == counted_from_half(0.5) > 0.5
    columns = {"box_iou": np.array([iou, np.nan])}
    assert [term.tolist() for term in parse("Accbox").terms(columns)] == [[1.0, 0.0], [1.0, 0.0]]


def test_a_mask_without_a_heat_is_boxed_as_if_it_were_one():
    sample = sample_of(block(SIZE, 10, 15, 30, 45))
    mask = heat_of((slice(10, 30), slice(15, 45), 1.0)) > 0
    assert Rules("wwbl").judge(sample, Prediction(mask=mask)).scores.box_iou == 1.0
    found = Rules("mg").judge(sample, Prediction(mask=mask)).scores.box_iou
    assert found == pytest.approx(29 * 19 / 600)  # its corners lie within the region
