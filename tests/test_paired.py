"""Paired differences: what the bootstrap says of two runs, against what is known of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up.runs import ious_of, write_run

from risbench import DataError
from risbench.metrics.names import parse_all
from risbench.paired import Difference, difference, draw_runs, holm, in_step

METRICS = parse_all("mIoU")


def between(tmp_path: Path, a: np.ndarray, b: np.ndarray) -> Difference:
    runs = [write_run(tmp_path / name, ious, method=name) for name, ious in (("a", a), ("b", b))]
    values, drawn, images = draw_runs(in_step(runs, [run.rows() for run in runs]), METRICS)
    found = difference(values[0, 0] - values[1, 0], drawn[:, 0, 0] - drawn[:, 1, 0], images)
    assert found is not None
    return found


def test_a_run_does_not_differ_from_itself(tmp_path: Path):
    ious = ious_of(0.4)
    assert between(tmp_path, ious, ious) == (0.0, 0.0, 0.0, 1.0)


def test_pairing_sees_what_two_intervals_cannot(tmp_path: Path):
    # Images differ by 30 points, the runs by 1 point on each of them.
    a = ious_of(0.4, noise=0)
    found = between(tmp_path, a + 0.01, a)
    assert found.value == pytest.approx(0.01)
    assert found.low == pytest.approx(0.01)
    assert found.high == pytest.approx(0.01)
    assert found.p < 1e-6


def test_turning_the_runs_round_turns_the_difference_round(tmp_path: Path):
    a, b = ious_of(0.4, 1), ious_of(0.41, 2)
    one, other = between(tmp_path / "x", a, b), between(tmp_path / "y", b, a)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p == pytest.approx(other.p)


def test_the_interval_is_that_of_the_mean_of_image_differences(tmp_path: Path):
    # With as many expressions on every image the difference is a mean over images, whose error is known.
    a, b = ious_of(0.4, 1, images=200), ious_of(0.4, 2, images=200)
    found = between(tmp_path, a, b)
    means = (a - b).mean(axis=1)
    error = means.std() / np.sqrt(len(means))
    assert found.value == pytest.approx(means.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_no_difference_is_found_as_often_as_the_level_says():
    generator = np.random.default_rng(5)
    found = 0
    for _ in range(200):
        draws = generator.normal(generator.normal(0, 1), 1, 2000)
        test = difference(float(draws.mean()), draws, 100)
        assert test is not None
        found += test.p <= 0.05
    assert 2 <= found <= 20


def test_few_images_prove_little(tmp_path: Path):
    found = between(tmp_path, [[0.9, 0.9], [0.8, 0.8], [0.9, 0.7]], [[0.1, 0.1], [0.1, 0.1], [0.1, 0.1]])
    assert found.p == 0.25  # three images: 2 ** -2


def test_small_p_values_stay_fine_enough_to_be_corrected():
    draws = np.random.default_rng(0).normal(1.0, 0.1, 10_000)
    test = difference(1.0, draws, 500)
    assert test is not None
    assert 0 < test.p < 1e-10
    assert max(holm([test.p] * 1000)) < 1e-6


def test_where_one_has_nothing_to_say_there_is_no_difference(tmp_path: Path):
    runs = [write_run(tmp_path / "a", [[0.5]]), write_run(tmp_path / "b", [[0.5]], points=False)]
    values, drawn, images = draw_runs(in_step(runs, [run.rows() for run in runs]), parse_all("PointM"))
    assert difference(values[0, 0] - values[1, 0], drawn[:, 0, 0] - drawn[:, 1, 0], images) is None


def test_holm_is_the_textbooks():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_rows_of_other_expressions_are_not_paired(tmp_path: Path):
    runs = [write_run(tmp_path / "a", [[0.5, 0.5]]), write_run(tmp_path / "b", [[0.5]])]
    with pytest.raises(DataError, match="not about the same expressions: refcoco_val/0/1"):
        in_step(runs, [run.rows() for run in runs])
