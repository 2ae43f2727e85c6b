"""Intervals over images, against plain loops, against other libraries, and in edge cases."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import optimize, stats

from risbench.metrics.metric import Metric
from risbench.metrics.metric_names import parse, parse_all
from risbench.results.columns.rowcolumns import columns_of
from risbench.results.rows import Row
from risbench.scorer import summary_of
from risbench.statistics.ratios import intervals, jackknife
from risbench.statistics.summary import clusters, sums_of

ALL = parse_all(None)


def rows_of(images: int, each: int | None = None, seed: int = 0) -> list[Row]:
    """Made-up rows in which expressions of one image resemble each other."""
    chance = random.Random(seed)
    rows = []
    for image in range(images):
        good = chance.random()
        for sentence in range(each or chance.randint(1, 6)):
            union = chance.randint(1, 1000)
            both = round(union * min(1.0, max(0.0, good + chance.gauss(0, 0.1))))
            hit = chance.random() < good
            rows.append(
                Row(f"s/{image}/{sentence}", image, image, sentence, both, union, hit, hit, chance.random() * good)
            )
    return rows


def value_of(rows: list[Row], name: str) -> float:
    """The metrics again, written as their definitions read."""
    if name == "oIoU":
        return sum(row.intersection for row in rows) / sum(row.union for row in rows)
    if name == "mIoU":
        return sum(row.intersection / row.union for row in rows) / len(rows)
    if name.startswith("P@"):
        return sum(row.intersection / row.union >= float(name[2:]) for row in rows) / len(rows)
    if name == "Accbox":
        return sum(row.box_iou > 0.5 for row in rows if row.box_iou is not None) / len(rows)
    return sum(bool(row.hit_box if name == "PointIt" else row.hit_mask) for row in rows) / len(rows)


def test_values_are_what_the_definitions_say():
    rows = rows_of(30)
    for name, found in summary_of(rows).items():
        assert found["value"] == pytest.approx(value_of(rows, name), abs=1e-12)
        assert found["count"] == len(rows)


def test_errors_equal_those_of_a_plain_loop_that_leaves_out_one_image_at_a_time():
    rows = rows_of(9)
    cluster = clusters([row.image_id for row in rows])
    for metric in ALL:
        sums = sums_of(metric, columns_of(rows), cluster)
        found = jackknife(sums[:, :1], sums[:, 1:])
        value = value_of(rows, metric.name)
        left_out = [value_of([row for row in rows if row.image_id != image], metric.name) for image in range(9)]
        assert found.value[0] == pytest.approx(value, abs=1e-12)
        assert found.error[0] == pytest.approx(math.sqrt(8 / 9 * sum((other - value) ** 2 for other in left_out)))


def test_with_as_many_expressions_in_each_image_the_error_is_that_of_a_mean():
    rows = rows_of(60, each=3)
    means = np.array([row.iou for row in rows]).reshape(60, 3).mean(axis=1)
    sums = sums_of(parse("mIoU"), columns_of(rows), clusters([row.image_id for row in rows]))
    found = jackknife(sums[:, :1], sums[:, 1:])
    assert found.error[0] == pytest.approx(means.std(ddof=1) / math.sqrt(60))
    assert found.freedom[0] == pytest.approx(59)


@pytest.mark.parametrize(("hits", "images"), [(3, 40), (20, 40), (39, 40), (0, 40), (40, 40), (0, 2)])
def test_of_one_expression_an_image_the_interval_is_wilsons_with_students_quantile(hits: int, images: int):
    # Others take the normal quantile; here it is that of t, and where images vary the size is theirs minus one.
    above = np.zeros((images, 1))
    above[:hits] = 1
    low, high = intervals(above, np.ones((images, 1)))
    size = images - 1 if 0 < hits < images else images
    scale = size * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, images - 1)) ** 2
    theirs = _wilson(hits / images, scale)
    assert (low[0], high[0]) == pytest.approx(theirs, abs=2e-6)


def _wilson(rate: float, size: float) -> tuple[float, float]:
    """The two rates from which this one lies a normal quantile away, solved and not written down."""
    z = stats.norm.ppf(0.975)

    def away(true: float) -> float:
        return (rate - true) ** 2 - z**2 * true * (1 - true) / size

    low = 0.0 if rate == 0 else optimize.brentq(away, 0, rate - 1e-9)
    high = 1.0 if rate == 1 else optimize.brentq(away, rate + 1e-9, 1)
    return low, high


@pytest.mark.parametrize("value", [0.0, 1.0, 0.4949])
def test_where_no_image_varies_the_interval_has_the_width_that_so_many_images_allow(value: float):
    for images in (2, 20, 500):
        low, high = intervals(np.full((images, 1), value), np.ones((images, 1)))
        assert low[0] <= value <= high[0]
        assert high[0] - low[0] > 1 / images


def test_images_count_and_not_expressions():
    # Twenty copies of each expression add no knowledge: the interval stays as wide.
    rows = rows_of(25, each=1)
    copies = [
        Row(f"s/{row.ref_id}/{n}", row.image_id, row.ref_id, n, row.intersection, row.union, None, None, None)
        for row in rows
        for n in range(20)
    ]
    metric = [parse("mIoU")]
    once, often = summary_of(rows, metric)["mIoU"], summary_of(copies, metric)["mIoU"]
    assert (once["low"], once["high"]) == pytest.approx((often["low"], often["high"]), abs=2e-6)


def test_the_interval_holds_the_value_and_is_narrower_with_more_images():
    few, many = summary_of(rows_of(20, seed=1)), summary_of(rows_of(2000, seed=1))
    for name in few:
        assert few[name]["low"] <= few[name]["value"] <= few[name]["high"]
        assert many[name]["high"] - many[name]["low"] < few[name]["high"] - few[name]["low"]


def test_the_order_of_rows_changes_nothing():
    rows = rows_of(40)
    shuffled = random.Random(1).sample(rows, len(rows))
    assert [row.id for row in shuffled] != [row.id for row in rows]
    assert summary_of(shuffled) == summary_of(rows)


def test_other_metrics_beside_it_change_nothing_about_a_metric():
    rows = rows_of(15)
    whole = summary_of(rows)
    for metric in ALL:
        assert summary_of(rows, [metric])[metric.name] == whole[metric.name]


def test_one_image_says_nothing_of_its_spread():
    found = summary_of(rows_of(1, each=4))
    for each in found.values():
        assert each["value"] is not None
        assert each["low"] is each["high"] is None


def test_no_rows_have_no_values():
    assert summary_of([]) == {metric.name: {"value": None, "low": None, "high": None, "count": 0} for metric in ALL}


def test_a_metric_that_no_row_has_is_null_and_the_others_stand():
    rows = [
        Row(row.id, row.image_id, row.ref_id, row.sent_id, row.intersection, row.union, None, None, None)
        for row in rows_of(9)
    ]
    found = summary_of(rows)
    for name in ("PointIt", "PointM", "Accbox"):
        assert found[name] == {"value": None, "low": None, "high": None, "count": 0}
    assert found["mIoU"] == summary_of(rows_of(9))["mIoU"]


def test_a_metric_that_some_rows_have_is_taken_over_those():
    # One image of six has a point, and hits; of one image there is no interval.
    rows = [Row(f"s/{n}/0", n, n, 0, 1, 2, True if n == 0 else None, None, None) for n in range(6)]
    assert summary_of(rows)["PointIt"] == {"value": 1.0, "low": None, "high": None, "count": 1}


def test_what_is_missing_misses_only_where_others_were_asked():
    def row(number: int, hit: bool | None, missing: bool = False) -> Row:
        return Row(f"s/{number}/0", number, number, 0, 0, 5, hit, None, 0.0, None, missing)

    found = summary_of([row(0, True), row(1, None, missing=True)])
    assert (found["PointIt"]["value"], found["PointIt"]["count"]) == (0.5, 2)
    assert found["PointM"]["count"] == 0
    assert summary_of([row(0, None), row(1, None, missing=True)])["PointIt"]["count"] == 0


def test_pointing_only_where_one_is_sure_wins_nothing():
    # 3 of 10 answers point, all of them rightly: the metric is taken over the ten.
    rows = [Row(f"s/{n}/0", n, n, 0, 1, 2, *([True] * 2 if n < 3 else [None] * 2), 0.5) for n in range(10)]
    for name in ("PointIt", "PointM"):
        assert (summary_of(rows)[name]["value"], summary_of(rows)[name]["count"]) == (0.3, 10)


def test_where_nobody_points_there_is_no_metric_of_points():
    rows = [Row(f"s/{n}/0", n, n, 0, 1, 2, None, None, 0.5) for n in range(4)]
    assert summary_of(rows)["PointM"] == {"value": None, "low": None, "high": None, "count": 0}


def test_empty_masks_everywhere_score_nothing():
    found = summary_of([Row(f"s/{n}/0", n, n, 0, 0, 0, False, False, 0.0) for n in range(4)])
    others = [each for name, each in found.items() if name != "oIoU"]
    assert {(each["value"], each["low"], each["count"]) for each in others} == {(0, 0, 4)}
    # 0/0 scores 0, and nothing is known of how it would vary.
    assert found["oIoU"] == {"value": 0.0, "low": None, "high": None, "count": 4}


def test_image_ids_of_any_kind_make_clusters():
    assert clusters(["b", "a", "b", 7, "7", 7]).tolist() == [0, 1, 0, 2, 3, 2]
    assert clusters([]).tolist() == []


def test_sums_are_those_of_each_image():
    rows = rows_of(5)
    cluster = clusters([row.image_id for row in rows])
    sums = sums_of(Metric("oIoU", "oIoU"), columns_of(rows), cluster)
    assert sums.tolist() == [
        [
            sum(row.intersection for row in rows if row.image_id == n),
            sum(row.union for row in rows if row.image_id == n),
        ]
        for n in range(5)
    ]
