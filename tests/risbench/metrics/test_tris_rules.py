import numpy as np
import pytest
from helpers import authors
from helpers.examples import examples
from hypothesis import given
from hypothesis import strategies as st
from made_up.samples import blobs, block, sample_of

from risbench import Prediction, Rules, Scorer
from risbench.metrics.resize import bilinear
from risbench.metrics.rules.tris import truth_of


def _judge(sample, prediction):
    return Rules("tris").judge(sample, prediction)


_HEATS = ["relu", "signed", "blob", "all negative", "zero"]


def _made(seed, kind):
    generator = np.random.default_rng(seed)
    size = int(generator.integers(70, 200)), int(generator.integers(70, 200))
    first, second = blobs(generator, size, 0.2), blobs(generator, size, 0.1)
    xywh = tuple(np.round(generator.uniform([0, 0, 5, 5], [60, 60, 65, 65]), 2).tolist())
    noise = generator.standard_normal((int(generator.integers(4, 60)), int(generator.integers(4, 60))))
    heat = {
        "relu": np.maximum(noise, 0),
        "signed": noise,
        "blob": np.maximum(noise - 1.5, 0),
        "all negative": -np.abs(noise) - 1e-3,
        "zero": np.zeros_like(noise),
    }[kind].astype(np.float32)
    return first, second, xywh, heat


@examples(120)
@given(st.integers(0, 99999), st.sampled_from(_HEATS))
def test_all_scores_equal_the_authors_procedure_on_the_same_resized_heat(seed, kind):
    first, second, xywh, heat = _made(seed, kind)
    resized = bilinear(heat, first.shape, align_corners=True)
    expected = authors.score(heat, first.astype(np.uint8) + second, xywh, resized=resized)
    verdict = _judge(sample_of(first, second, xywh=xywh), Prediction(heat=heat))
    assert np.array_equal(verdict.mask, expected.mask)
    assert verdict.scores == (
        expected.intersection,
        expected.union,
        expected.hit_box,
        expected.hit_mask,
        expected.box_iou,
    )


@examples(60)
@given(st.integers(0, 99999), st.sampled_from(_HEATS))
def test_with_torchs_own_resize_only_pixels_beside_the_cut_may_differ(seed, kind):
    first, second, xywh, heat = _made(seed, kind)
    expected = authors.score(heat, first.astype(np.uint8) + second, xywh)
    mask = _judge(sample_of(first, second, xywh=xywh), Prediction(heat=heat)).mask
    # The cut lies at 1e-9 of the maximum; how far the two resizes may be apart is derived in test_resize.
    resized = bilinear(heat, first.shape, align_corners=True)
    near = np.finfo(np.float32).eps * (3 * sum(heat.shape) * np.ptp(heat) + 4 * np.abs(heat).max())
    assert (np.abs(resized[mask != expected.mask]) <= near + 1e-9 * np.abs(heat).max()).all()


def test_overlapping_parts_are_background_in_coco_and_object_in_referit():
    one, other = block((20, 30), 0, 0, 10, 10), block((20, 30), 0, 5, 10, 15)
    coco, referit = truth_of(sample_of(one, other)), truth_of(sample_of(one, other, split="referit_test"))
    assert coco.mask.area == 100
    assert referit.mask.area == 150
    # The overlap is part of the object for IoU, and none the less a miss for the point.
    point = Prediction(mask=one | other, point=(7.5, 5.5))
    assert _judge(sample_of(one, other, split="referit_test"), point).scores[:4] == (150, 150, True, False)


def test_the_true_box_is_cut_to_whole_numbers_side_by_side():
    # x 9.9 and w 10.9 are cut to 9 and 10: the far side is 19, not int(20.8).
    sample = sample_of(block((40, 40), 9, 9, 19, 19), xywh=(9.9, 9.2, 10.9, 10.1))
    assert truth_of(sample).box == (9, 9, 19, 19)


@pytest.mark.parametrize("xywh", [(0.1, 0.2, 0.7, 3.0), (238.09, 17.63, 300.29, 424.77), (1e3 / 3, 1.1, 2.2, 3.3)])
def test_a_width_survives_having_been_added_to_x(xywh):
    x, y, w, h = (int(value) for value in xywh)
    assert truth_of(sample_of(block((40, 40), 0, 0, 5, 5), xywh=xywh)).box == (x, y, x + w, y + h)


def test_box_ends_are_closed_for_the_point():
    sample = sample_of(block((40, 40), 10, 10, 20, 20), xywh=(10, 10, 10, 10))
    mask = block((40, 40), 0, 0, 1, 1)
    assert _judge(sample, Prediction(mask=mask, point=(20.5, 20.5))).scores.hit_box is True
    assert _judge(sample, Prediction(mask=mask, point=(21.0, 20.5))).scores.hit_box is False
    assert _judge(sample, Prediction(mask=mask, point=(-4.0, 900.0))).scores[2:4] == (False, False)


def test_heats_without_a_positive_value_turn_into_the_whole_image():
    sample = sample_of(block((80, 90), 0, 0, 10, 10))
    heat = np.full((10, 10), -1.0, np.float32)
    heat[3, 3] = -5.0
    verdict = _judge(sample, Prediction(heat=heat))
    assert verdict.mask.pixels.all()
    assert verdict.scores.box_iou == 1 / 100  # the dummy box
    # Divided by a negative number, the lowest value becomes the maximum.
    assert verdict.point == pytest.approx((30.17, 26.83), abs=1.0)


def test_an_expression_without_a_target_has_no_scores():
    from dataclasses import replace

    sample = replace(sample_of(block((20, 20), 1, 1, 5, 5)), parts=(), box=None)
    empty = _judge(sample, Prediction(mask=np.zeros((20, 20), dtype=bool), point=(1, 1))).scores
    assert empty == (None, None, None, None, None)


def test_a_mask_goes_before_its_heat_and_the_heat_points():
    sample = sample_of(block((80, 90), 10, 10, 20, 20))
    heat = np.zeros((80, 90), np.float32)
    heat[15, 15] = 1
    verdict = _judge(sample, Prediction(mask=block((80, 90), 10, 10, 20, 30), heat=heat))
    assert verdict.scores[:4] == (100, 200, True, True)


def test_brought_boxes_are_scored_by_their_first_only():
    sample = sample_of(block((40, 40), 10, 10, 20, 20))
    mask = block((40, 40), 10, 10, 20, 20)
    boxes = np.array([[0, 0, 5, 5], [10, 10, 20, 20]], dtype=float)
    assert _judge(sample, Prediction(mask=mask, boxes=boxes)).scores.box_iou == 0.0
    assert _judge(sample, Prediction(mask=mask, boxes=boxes[::-1])).scores.box_iou == 1.0
    assert _judge(sample, Prediction(mask=mask, boxes=np.zeros((0, 4)))).scores.box_iou == 0.0


def test_a_threshold_is_of_the_normalised_heat():
    sample = sample_of(block((80, 90), 10, 10, 20, 20))
    heat = np.tile(np.linspace(0, 8, 90, dtype=np.float32), (80, 1))
    verdict = Rules("tris", 0.5).judge(sample, Prediction(heat=heat))
    assert 0.48 < verdict.mask.pixels.mean() < 0.52


def test_objects_of_one_id_but_other_parts_are_not_confused():
    scorer = Scorer("tris")
    one, other = block((20, 20), 0, 0, 10, 10), block((20, 20), 10, 10, 20, 20)
    a = sample_of(one, xywh=(0, 0, 20, 20), sentence=1)
    b = sample_of(other, xywh=(0, 0, 20, 20), sentence=2)
    assert scorer.add(a, one).iou == 1.0
    assert scorer.add(b, one).iou == 0.0


def test_a_heat_below_zero_is_cut_by_its_quotient_and_by_nothing_else():
    """Divided by a negative number the lowest value is the largest quotient; a threshold above 1 cuts in between."""
    sample = sample_of(block((80, 90), 0, 0, 10, 10))
    heat = -1 - np.abs(np.random.default_rng(3).standard_normal((20, 20))).astype(np.float32)
    resized = bilinear(heat, sample.size, align_corners=True)
    quotient = resized / (resized.max() + np.float32(1e-5))
    for threshold in (None, 0.5, 1.5, float(quotient[40, 45]), float(quotient.max())):
        mask = Rules("tris", threshold).judge(sample, Prediction(heat=heat)).mask
        assert np.array_equal(mask, quotient > np.float32(1e-9 if threshold is None else threshold))


def test_where_quotients_are_too_large_for_a_number_the_first_of_them_is_the_point():
    # The maximum lies so near to -1e-5 that all lower values divide to infinity, of which the first counts.
    heat = np.full((70, 70), np.float32(-3e38))
    heat[0, :5], heat[10:, :] = np.float32(-1.0001e-5), np.float32(-3.3e38)
    verdict = _judge(sample_of(block((70, 70), 0, 0, 10, 10)), Prediction(heat=heat))
    assert verdict.point == (5.5, 0.5)
