"""How sure a number is: the bootstrap over images against a plain loop, against SciPy, and at its edges."""

from __future__ import annotations

import random

import numpy as np
import pytest

from risbench.metrics.names import Metric, parse, parse_all
from risbench.results.rows import Row, columns_of
from risbench.scorer import summary_of
from risbench.stats import clusters, interval, resampled, summarise, sums_of

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


def test_intervals_equal_those_of_a_plain_loop_over_the_same_draws():
    rows, resamples, seed = rows_of(7), 200, 3
    found = summarise(columns_of(rows), [row.image_id for row in rows], ALL, resamples=resamples, seed=seed)
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, 7, size=(resamples, 7), dtype=np.int32)
    of_image = {image: [row for row in rows if row.image_id == image] for image in range(7)}
    for metric in ALL:
        values = [value_of([row for image in draw for row in of_image[image]], metric.name) for draw in drawn.tolist()]
        low, high = np.percentile(values, [2.5, 97.5])
        assert found[metric.name]["low"] == pytest.approx(low, abs=1e-6)
        assert found[metric.name]["high"] == pytest.approx(high, abs=1e-6)


def test_with_as_many_expressions_in_each_image_scipy_agrees():
    from scipy import stats

    rows = rows_of(60, each=3)
    found = summary_of(rows, [parse("mIoU")])["mIoU"]
    means = np.array([row.iou for row in rows]).reshape(60, 3).mean(axis=1)
    theirs = stats.bootstrap((means,), np.mean, method="percentile", n_resamples=10_000, rng=1).confidence_interval
    width = theirs.high - theirs.low
    assert found["low"] == pytest.approx(theirs.low, abs=0.03 * width)
    assert found["high"] == pytest.approx(theirs.high, abs=0.03 * width)


def test_images_are_resampled_and_not_expressions():
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


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    rows = rows_of(40)
    columns, images = columns_of(rows), [row.image_id for row in rows]
    one, same = summarise(columns, images, ALL, seed=5), summarise(columns, images, ALL, seed=5)
    assert one == same
    assert one != summarise(columns, images, ALL, seed=6)


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
        assert each["low"] == each["high"] == pytest.approx(each["value"], abs=1e-6)


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
    # One image of six has a point, and hits: every resample that holds it says 1, and the others say nothing.
    rows = [Row(f"s/{n}/0", n, n, 0, 1, 2, True if n == 0 else None, None, None) for n in range(6)]
    assert summary_of(rows)["PointIt"] == {"value": 1.0, "low": 1.0, "high": 1.0, "count": 1}


def test_what_is_missing_misses_only_where_others_were_asked():
    def row(number: int, hit: bool | None, missing: bool = False) -> Row:
        return Row(f"s/{number}/0", number, number, 0, 0, 5, hit, None, 0.0, None, missing)

    found = summary_of([row(0, True), row(1, None, missing=True)])
    assert (found["PointIt"]["value"], found["PointIt"]["count"]) == (0.5, 2)
    assert found["PointM"]["count"] == 0
    assert summary_of([row(0, None), row(1, None, missing=True)])["PointIt"]["count"] == 0


def test_empty_masks_everywhere_score_nothing():
    found = summary_of([Row(f"s/{n}/0", n, n, 0, 0, 0, False, False, 0.0) for n in range(4)])
    assert {(each["value"], each["low"], each["high"], each["count"]) for each in found.values()} == {(0, 0, 0, 4)}
    assert interval(np.zeros(10), np.zeros(10)) == (0.0, 0.0)


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


def test_drawing_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    sums = np.random.default_rng(0).random((11, 4))
    whole = resampled(sums, 100, 1)
    monkeypatch.setattr("risbench.stats._CHUNK_CELLS", 30)
    assert np.array_equal(resampled(sums, 100, 1), whole)


def test_each_resample_draws_as_many_images_as_there_are():
    counts = resampled(np.ones((13, 1)), 500, 0)
    assert (counts == 13).all()


def test_ten_thousand_resamples_of_a_full_test_set_fit_into_memory():
    # Weights of all resamples at once would be 400 MB; sums are kept, and they are few.
    sums = np.random.default_rng(0).random((5000, 20))
    totals = resampled(sums, 10_000, 0)
    assert totals.shape == (10_000, 20)
    assert np.allclose(totals.mean(axis=0), sums.sum(axis=0), rtol=0.01)
