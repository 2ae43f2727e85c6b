"""Scores add up: in any order, in any pieces, in any process."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.small import small_split
from hypothesis import given
from hypothesis import strategies as st
from made_up.methods import Heats, heat_for
from made_up.samples import blobs, block, sample_of

from risbench import MaskError, Prediction, Rules, Scorer, UsageError, evaluate
from risbench.datasets.images import read_image
from risbench.metrics.rules.protocols import RULES
from risbench.scorer import summary_of

_CHANCE = np.random.default_rng(5)
_SAMPLES = [
    sample_of(blobs(_CHANCE, (20, 30), 0.2, 2.0), ref=number // 2, sentence=number, image=number // 3)
    for number in range(12)
]
_ANSWERS = [
    Prediction(mask=blobs(_CHANCE, (20, 30), 0.3, 2.0)) if number % 4 == 0 else _CHANCE.standard_normal((6, 9))
    for number in range(12)
]


def _scored(numbers: list[int], rules: str = "tris") -> Scorer:
    scorer = Scorer(rules)
    for number in numbers:
        scorer.add(_SAMPLES[number], _ANSWERS[number])
    return scorer


_WHOLE = {rules: _scored(list(range(12)), rules) for rules in RULES}
_SUMMARIES = {rules: whole.summary() for rules, whole in _WHOLE.items()}


@pytest.mark.parametrize("rules", RULES)
@given(order=st.permutations(range(12)), cuts=st.sets(st.integers(0, 12), max_size=4))
def test_pieces_merged_in_any_order_equal_the_whole(rules: str, order: list[int], cuts: set[int]):
    bounds = [0, *sorted(cuts), 12]
    whole = Scorer(rules)
    for first, last in pairwise(bounds):
        whole.merge(_scored(order[first:last], rules))
    assert len(whole) == 12
    assert {row.id: row for row in whole.rows} == {row.id: row for row in _WHOLE[rules].rows}
    # Equal to the last bit, the intervals included.
    assert whole.summary() == _SUMMARIES[rules]


def test_a_scorer_travels_to_another_process_without_its_truths():
    scorer = Scorer(Rules("clean", 0.25))
    for sample, answer in zip(_SAMPLES, _ANSWERS, strict=True):
        scorer.add(sample, answer)
    sent = pickle.dumps(scorer)
    empty = len(pickle.dumps(Scorer(Rules("clean", 0.25))))
    assert len(sent) - empty < 12 * 400  # the rows, and no mask of 600 pixels
    back = pickle.loads(sent)
    assert back.summary() == scorer.summary()
    assert back.rules.record() == scorer.rules.record()
    other = Scorer(Rules("clean", 0.25))
    other.merge(back)
    assert other.summary() == scorer.summary()


def test_rules_copied_or_sent_judge_as_before():
    rules = Rules("tris", 0.5)
    for made in (copy.copy(rules), copy.deepcopy(rules), pickle.loads(pickle.dumps(rules))):
        assert made.record() == rules.record()
        assert made.judge(_SAMPLES[1], Prediction(heat=_ANSWERS[1])).scores == (
            rules.judge(_SAMPLES[1], Prediction(heat=_ANSWERS[1])).scores
        )


def test_its_summary_is_that_of_a_run_of_the_same_predictions(tmp_path: Path):
    split = small_split(tmp_path / "data", 5)
    scorer = Scorer()
    for sample in reversed(list(split)):
        scorer.add(sample, heat_for(read_image(sample.image_path), sample.text))
    assert scorer.summary() == evaluate(Heats(), split, out=tmp_path / "run").summary["metrics"]


def test_a_row_holds_what_was_scored_by_hand():
    truth = block((10, 10), 2, 2, 6, 6)
    row = Scorer().add(sample_of(truth, ref=4, sentence=7, image=9), block((10, 10), 4, 2, 8, 6), seconds=0.5)
    assert (row.id, row.image_id, row.ref_id, row.sent_id) == ("refcoco_val/4/7", 9, 4, 7)
    assert (row.intersection, row.union) == (8, 24)
    assert row.box_iou == pytest.approx(8 / 24)
    assert (row.hit_box, row.hit_mask, row.seconds, row.missing) == (None, None, 0.5, False)


def test_a_sample_without_a_prediction_counts_and_misses():
    scorer = Scorer()
    scorer.add(_SAMPLES[1], _ANSWERS[1])
    before = scorer.summary()
    row = scorer.miss(_SAMPLES[2])
    assert row.missing
    assert row.intersection == 0
    after = scorer.summary()
    for name in ("mIoU", "PointIt", "PointM"):
        assert after[name]["count"] == 2
        assert after[name]["value"] == before[name]["value"] / 2


def test_a_sample_is_scored_once():
    scorer = _scored([0, 1])
    with pytest.raises(UsageError, match="sample refcoco_val/0/1 was scored twice"):
        scorer.add(_SAMPLES[1], _ANSWERS[1])
    with pytest.raises(UsageError, match="was scored twice"):
        scorer.miss(_SAMPLES[0])


def test_a_merge_with_a_known_sample_takes_over_nothing():
    scorer, other = _scored([0, 1]), _scored([2, 1, 3])
    with pytest.raises(UsageError, match="sample refcoco_val/0/1 was scored twice"):
        scorer.merge(other)
    assert [row.id for row in scorer.rows] == [_SAMPLES[0].id, _SAMPLES[1].id]
    with pytest.raises(UsageError, match="was scored twice"):
        scorer.merge(scorer)


def test_scores_under_other_rules_are_not_merged():
    with pytest.raises(UsageError, match="cannot merge scores under 'lavt' with scores under 'tris'"):
        _scored([0]).merge(_scored([1], "lavt"))
    with pytest.raises(UsageError, match=r"scores under 'clean' at threshold 0\.25 with scores under 'clean'"):
        Scorer("clean").merge(Scorer(Rules("clean", 0.25)))


def test_what_cannot_be_scored_leaves_no_row():
    scorer = Scorer()
    with pytest.raises(MaskError, match=r"prediction for refcoco_val/0/1: its heat holds NaN"):
        scorer.add(_SAMPLES[1], np.full((3, 3), np.nan))
    assert len(scorer) == 0


def test_metrics_are_taken_by_name_and_an_empty_scorer_has_none():
    assert list(_WHOLE["tris"].summary("mIoU, oIoU,P@0.5")) == ["mIoU", "oIoU", "P@0.5"]
    with pytest.raises(UsageError, match="no metric named"):
        _WHOLE["tris"].summary("mIuO,xyz")
    assert Scorer().summary("mIoU") == {"mIoU": {"value": None, "low": None, "high": None, "count": 0}}
    assert summary_of([]) == Scorer().summary()


def test_a_heat_whose_sum_is_infinite_is_finite_all_the_same():
    sample = sample_of(block((8, 8), 2, 2, 6, 6))
    heat = np.full((8, 8), np.finfo(np.float32).max, np.float32)
    assert Scorer("tris").add(sample, heat).intersection == 16
    heat[3, 3], heat[4, 4] = np.inf, -np.inf
    with pytest.raises(MaskError, match="infinite values"):
        Scorer("clean").add(sample, heat)
