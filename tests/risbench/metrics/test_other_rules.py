import numpy as np
from helpers.examples import examples
from hypothesis import given
from hypothesis import strategies as st
from made_up.samples import blobs, block, sample_of
from PIL import Image

from risbench import Prediction, Rules
from risbench.metrics.resize import bilinear


@examples(60)
@given(st.integers(0, 9999))
def test_lavt_equals_its_description_step_by_step(seed):
    generator = np.random.default_rng(seed)
    size = int(generator.integers(40, 700)), int(generator.integers(40, 700))
    first, second = blobs(generator, size), blobs(generator, size, 0.1)
    truth = np.asarray(Image.fromarray(((first ^ second) * 255).astype(np.uint8)).resize((480, 480), Image.NEAREST)) > 0
    heat = generator.uniform(0, 1, (30, 40)).astype(np.float32)
    predicted = bilinear(heat, (480, 480), align_corners=False) > 0.5  # held against torch in test_resize
    scores = Rules("lavt").judge(sample_of(first, second), Prediction(heat=heat)).scores
    assert scores == ((predicted & truth).sum(), (predicted | truth).sum(), None, None, None)
    brought = blobs(generator, size)
    small = np.asarray(Image.fromarray((brought * 255).astype(np.uint8)).resize((480, 480), Image.NEAREST)) > 0
    scores = Rules("lavt").judge(sample_of(first, second), Prediction(mask=brought)).scores
    assert scores[:2] == ((small & truth).sum(), (small | truth).sum())


@examples(60)
@given(st.integers(0, 9999))
def test_clean_equals_its_description_step_by_step(seed):
    generator = np.random.default_rng(seed)
    size = int(generator.integers(70, 200)), int(generator.integers(70, 200))
    first, second = blobs(generator, size), blobs(generator, size, 0.1)
    sample = sample_of(first, second, xywh=(10.5, 20.25, 30.5, 20.0))
    heat = generator.uniform(-1, 1, (30, 40)).astype(np.float32)
    big = bilinear(heat, size, align_corners=False)
    scores = Rules("clean", 0.25).judge(sample, Prediction(heat=heat)).scores
    predicted, truth = big > 0.25, first | second
    assert scores[:2] == ((predicted & truth).sum(), (predicted | truth).sum())
    row, column = np.unravel_index(big.argmax(), size)
    assert scores.hit_mask == truth[row, column]
    assert scores.hit_box == (10.5 <= column + 0.5 < 41 and 20.25 <= row + 0.5 < 40.25)


def test_clean_takes_the_cards_threshold_and_a_given_one_goes_before_it():
    assert Rules("clean").for_method(0.2).threshold == 0.2
    assert Rules("clean", 0.7).for_method(0.2).threshold == 0.7
    assert Rules("clean").for_method(None).threshold is None
    # The other protocols name their own.
    assert Rules("tris").for_method(0.2).threshold is None


def test_clean_boxes_only_the_largest_component():
    truth = block((60, 60), 10, 10, 30, 30)
    mask = truth.copy()
    mask[50, 50] = True
    assert Rules("clean").judge(sample_of(truth), Prediction(mask=mask)).scores.box_iou == 1.0
    # Under the authors' rules the stray pixel comes first, and the best of all boxes counts.
    assert Rules("tris").judge(sample_of(truth), Prediction(mask=mask)).scores.box_iou == 1.0


def test_a_cut_is_strict_even_where_float32_cannot_hold_the_threshold():
    heat = np.full((70, 70), np.float32(0.1))
    sample = sample_of(block((70, 70), 0, 0, 10, 10))
    # float32(0.1) is a little above 0.1.
    assert Rules("clean", 0.1).judge(sample, Prediction(heat=heat)).mask.pixels.all()
    assert not Rules("clean", float(np.float32(0.1))).judge(sample, Prediction(heat=heat)).mask.pixels.any()


def test_lavt_takes_a_heat_of_480_as_it_is_and_enlarges_any_other_with_half_pixel_centres():
    from helpers.heats import KINDS, heat_of

    sample = sample_of(block((60, 90), 10, 10, 30, 30))
    for kind in KINDS:
        heat = heat_of(kind, 7, (480, 480))
        assert np.array_equal(Rules("lavt").judge(sample, Prediction(heat=heat)).mask, heat > 0.5), kind
    small = heat_of("signed", 7, (120, 120))
    mask = Rules("lavt").judge(sample, Prediction(heat=small)).mask
    assert np.array_equal(mask, bilinear(small, (480, 480), align_corners=False) > 0.5)
    # LAVT's own network would have enlarged it otherwise, so it must do that itself.
    corners = bilinear(small, (480, 480), align_corners=True)
    assert not np.array_equal(mask, corners > 0.5)
    assert np.array_equal(Rules("lavt").judge(sample, Prediction(heat=corners)).mask, corners > 0.5)
