"""Paired differences: the result of the test against known differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.runs import ious_of, write_run
from scipy import stats

from risbench import DataError
from risbench.metrics.metric_names import parse_all
from risbench.statistics.paired import (
    SMALLEST_P,
    Difference,
    Estimate,
    corrected_of,
    estimate_of,
    estimates_of_runs,
    holm,
    in_step,
    mean_over_seeds,
    paired_difference,
    significant_pairs,
)

METRICS = parse_all("mIoU")


def between(tmp_path: Path, a: np.ndarray, b: np.ndarray) -> Difference:
    runs = [write_run(tmp_path / name, ious, method=name) for name, ious in (("a", a), ("b", b))]
    first, second = estimates_of_runs(in_step(runs, [run.rows() for run in runs]), METRICS)
    found = paired_difference(first[0], second[0])
    assert found is not None
    return found


def test_a_run_does_not_differ_from_itself(tmp_path: Path):
    ious = ious_of(0.4)
    assert between(tmp_path, ious, ious) == (0.0, None, None, 1.0)


def test_one_image_that_differs_proves_nothing_and_leaves_the_interval_narrow(tmp_path: Path):
    a = ious_of(0.4, images=200)
    b = a.copy()
    b[7] += 0.05
    found = between(tmp_path, b, a)
    assert found.p == 1.0
    assert found.low is not None
    assert found.high is not None
    assert -0.001 < found.low < 0 < found.high < 0.001


def test_pairing_sees_what_two_intervals_cannot(tmp_path: Path):
    # Images differ by 30 points, the runs by 1 point on each of them.
    a = ious_of(0.4, noise=0)
    found = between(tmp_path, a + 0.01, a)
    assert found.value == pytest.approx(0.01)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 0.01 < found.high < 0.015
    assert found.p == SMALLEST_P


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
    error = means.std(ddof=1) / np.sqrt(len(means))
    assert found.value == pytest.approx(means.mean())
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, 199) * error, rel=1e-4)
    assert found.p == pytest.approx(stats.ttest_rel(a.mean(axis=1), b.mean(axis=1)).pvalue, rel=1e-6)


def test_few_images_prove_little(tmp_path: Path):
    found = between(tmp_path, [[0.9, 0.9], [0.8, 0.8], [0.9, 0.7]], [[0.1, 0.1], [0.1, 0.1], [0.1, 0.1]])
    assert found.p == 0.25  # three images: 2 ** -2


def test_as_many_images_as_differ_decide_what_can_be_proved(tmp_path: Path):
    # Five of forty images differ, all one way: exchanging them gives 2 ** 5 outcomes, two of them as far out.
    a = np.zeros((40, 1))
    a[:5] = 0.9
    found = between(tmp_path, a, np.zeros((40, 1)))
    assert found.p == pytest.approx(2**-4)
    assert found.low is not None
    assert found.low < 0 < found.value  # an interval that left out no difference would claim more than the p-value


def test_p_values_beyond_what_a_tail_can_tell_are_bounded_and_stay_fine_enough_to_be_corrected(tmp_path: Path):
    found = between(tmp_path, ious_of(0.8, 1, images=300), ious_of(0.2, 2, images=300))
    assert found.p == SMALLEST_P
    assert max(holm([found.p] * 1000)) < 0.01


def test_of_one_image_there_is_no_interval_and_nothing_is_told_apart(tmp_path: Path):
    assert between(tmp_path, [[0.9, 0.9]], [[0.1, 0.1]]) == (pytest.approx(0.8), None, None, None)
    one, other = (of_means(np.array([value])) for value in (0.9, 0.1))
    assert significant_pairs([one, other]) == set()


def test_what_cannot_be_tested_costs_the_others_nothing():
    tested = Difference(0.1, 0.05, 0.15, 0.02)
    untested = Difference(0.3, None, None, None)
    assert corrected_of([tested, untested, None]) == [0.02, None, None]


def test_where_one_has_nothing_to_say_there_is_no_difference(tmp_path: Path):
    runs = [write_run(tmp_path / "a", [[0.5]]), write_run(tmp_path / "b", [[0.5]], points=False)]
    first, second = estimates_of_runs(in_step(runs, [run.rows() for run in runs]), parse_all("PointM"))
    assert paired_difference(first[0], second[0]) is None


def of_means(values: np.ndarray) -> Estimate:
    """The mean of one number an image."""
    return estimate_of(np.stack([values, np.ones_like(values)], axis=1))


def test_a_mean_over_seeds_carries_the_variance_between_them():
    # 52.3 +- 5.0 over 46.7 +- 3.6 with three seeds each: each seed's own images say far more than the seeds do.
    chance = np.random.default_rng(0)
    hard = chance.normal(0, 0.1, 400)
    seeds = [
        [of_means(level + hard + chance.normal(0, 0.02, 400)) for level in levels]
        for levels in ((0.473, 0.523, 0.573), (0.431, 0.467, 0.503))
    ]
    first, second = (mean_over_seeds(group) for group in seeds)
    found, pretended = paired_difference(first, second), paired_difference(seeds[0][1], seeds[1][1])
    assert found is not None
    assert pretended is not None
    assert pretended.p == SMALLEST_P
    assert found.p > 0.05
    spread = [np.std([seed.value for seed in group], ddof=1) for group in seeds]
    means = stats.ttest_ind([seed.value for seed in seeds[0]], [seed.value for seed in seeds[1]], equal_var=False)
    assert found.p == pytest.approx(means.pvalue, rel=0.05)  # all but the images' small share
    assert (found.high - found.low) / 2 > np.hypot(*spread) / np.sqrt(3) * 2


def seeds_and_one(levels: tuple[float, ...], one: float, noise: float) -> tuple[Estimate, Estimate]:
    """A mean over runs of those levels, and a single run of another, over the same 400 images."""
    chance = np.random.default_rng(0)
    hard = chance.normal(0, 0.1, 400)
    runs = [of_means(level + hard + chance.normal(0, noise, 400)) for level in (*levels, one)]
    return mean_over_seeds(runs[:-1]), runs[-1]


def test_a_single_run_beside_a_mean_over_seeds_is_taken_to_vary_as_much():
    # The one seed of the other may be as far from its mean as these three are from theirs.
    mean, one = seeds_and_one((0.473, 0.523, 0.573), 0.45, 0.001)
    found, bare = paired_difference(mean, one), paired_difference(mean, one._replace(learned=False))
    assert found is not None
    assert bare is not None
    spread = mean.seed_variance * 3
    score = (mean.value - one.value) / np.sqrt(spread * (1 + 1 / 3))
    assert found.p == pytest.approx(2 * stats.t.sf(score, 2), rel=0.01)  # Crawford & Howell's t of the seeds alone
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, 2) * np.sqrt(spread * 4 / 3), rel=0.01)
    assert bare.p < found.p
    assert paired_difference(one, mean).p == pytest.approx(found.p)


def test_where_seeds_hardly_differ_the_images_decide_beside_a_single_run_too():
    mean, one = seeds_and_one((0.5, 0.5, 0.5), 0.48, 0.1)
    found, bare = paired_difference(mean, one), paired_difference(mean, one._replace(learned=False))
    assert found is not None
    assert bare is not None
    assert bare.p < 0.01
    assert found.p < 0.05


def test_two_single_runs_are_taken_as_they_are():
    _, one = seeds_and_one((0.5, 0.5), 0.48, 0.05)
    _, other = seeds_and_one((0.5, 0.5), 0.51, 0.05)
    assert paired_difference(one, other) == paired_difference(
        one._replace(learned=False), other._replace(learned=False)
    )


def test_equal_methods_are_seldom_told_apart_when_one_of_them_has_a_single_seed():
    # 300 pairs; with the single run taken as it is every fourth was told apart.
    chance = np.random.default_rng(3)
    apart = {True: 0, False: 0}
    for _ in range(300):
        hard = chance.normal(0.5, 0.1, 200)
        runs = [of_means(hard + chance.normal(0, 0.02) + chance.normal(0, 0.1, 200)) for _ in range(4)]
        for learned in apart:
            apart[learned] += bool(significant_pairs([mean_over_seeds(runs[:3]), runs[3]._replace(learned=learned)]))
    assert apart[True] <= 30  # 1 in 10,000 at a rate of 5 %
    assert apart[False] > 45


def test_a_single_run_is_its_own_mean():
    one = of_means(np.arange(5.0))
    assert mean_over_seeds([one]) is one


def test_holm_is_the_textbooks():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_rows_of_other_expressions_are_not_paired(tmp_path: Path):
    runs = [write_run(tmp_path / "a", [[0.5, 0.5]]), write_run(tmp_path / "b", [[0.5]])]
    with pytest.raises(DataError, match="not about the same expressions: refcoco_val/0/1"):
        in_step(runs, [run.rows() for run in runs])
