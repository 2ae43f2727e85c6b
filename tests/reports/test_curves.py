"""Curves: their numbers are the metrics', they are the same each time, and a log shows every term."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from reports import curves, grid
from reports.curves.area import bins_of, means, shares_of
from reports.curves.precision import LEVELS, draw_precision, precisions
from reports.curves.style import drawing
from reports.curves.sweep import draw_sweep
from reports.curves.training import Log, draw_term, running_mean
from risbench import DataError, UsageError, load_split
from risbench.datasets.annotations.sampleids import SampleIds
from risbench.masks import union_of
from risbench.metrics.metric_names import parse_all
from risbench.results.rows import Row
from risbench.scorer import summary_of
from risbench.statistics.ratios import intervals
from risbench.statistics.summary import clusters


def test_the_curve_passes_through_every_printed_p_at_k(drawn_runs):
    for run in drawn_runs:
        value, low, high = precisions(run.rows())
        for level in (0.0, 0.3, 0.5, 0.9, 1.0):
            printed = summary_of(run.rows(), parse_all(f"P@{level}"))[f"P@{level:g}"]["value"]
            assert value[np.argmin(np.abs(LEVELS - level))] == printed
        assert (low <= value).all()
        assert (value <= high).all()


def test_an_iou_exactly_on_a_level_counts_as_reaching_it(drawn_runs, changed):
    run = changed(drawn_runs[0], intersection=3, union=10)
    before, after = precisions(run.rows())[0], precisions(changed(run, intersection=29, union=100).rows())[0]
    place = int(np.argmin(np.abs(LEVELS - 0.3)))
    assert before[place] - after[place] == pytest.approx(1 / len(run.rows()))


def test_bins_are_level_never_part_equal_sizes_and_their_means_make_up_the_mean(drawn_runs):
    rows = drawn_runs[1].rows()
    split = load_split("shapes_val")
    shares = shares_of(split, SampleIds.of(row.id for row in rows))
    for row, share in list(zip(rows, shares, strict=True))[::7]:
        sample = split.sample(row.id)
        assert share == union_of(sample.parts, sample.size).mean()
    bins = bins_of(shares)
    assert sorted(set(bins)) == list(range(bins.max() + 1))
    assert all(len(set(bins[shares == one])) == 1 for one in set(shares))
    order = np.argsort(shares, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    value, low, high = means(rows, bins)
    counts = np.bincount(bins)
    assert value @ counts / counts.sum() == pytest.approx(np.mean([row.iou for row in rows]))
    known = ~np.isnan(low)
    assert known.any()
    assert ((low <= value + 1e-12) & (value <= high + 1e-12))[known].all()


def test_a_bin_of_one_image_has_no_band(drawn_runs):
    rows = drawn_runs[1].rows()
    alone = np.array([int(row.image_id == rows[0].image_id) for row in rows])
    _, low, high = means(rows, alone)
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, True]


@given(st.integers(1, 60), st.integers(0, 9))
def test_curves_are_those_of_sums_taken_row_by_row(count: int, seed: int):
    draw = np.random.default_rng(seed)
    union = draw.integers(1, 40, count)
    both = (union * draw.random(count)).round().astype(int)
    images, bins = draw.integers(0, 9, count), np.unique(draw.integers(0, 4, count), return_inverse=True)[1]
    rows = [Row(f"s/{n}/0", int(images[n]), n, 0, int(both[n]), int(union[n]), None, None, None) for n in range(count)]
    iou, image = np.array([row.iou for row in rows]), clusters(images)
    above = (iou[:, None] >= LEVELS).astype(float)
    sums = np.zeros((image.max() + 1, len(LEVELS)))
    np.add.at(sums, image, above)
    low, high = intervals(sums, np.bincount(image)[:, None] * np.ones(len(LEVELS)))
    for found, plain in zip(precisions(rows), (above.mean(axis=0), low, high), strict=True):
        np.testing.assert_array_equal(found, plain)
    top, under = np.zeros((2, image.max() + 1, bins.max() + 1))
    np.add.at(top, (image, bins), iou)
    np.add.at(under, (image, bins), 1)
    for found, plain in zip(means(rows, bins), (top.sum(0) / under.sum(0), *intervals(top, under)), strict=True):
        np.testing.assert_array_equal(found, plain)


def test_equal_objects_are_one_bin():
    assert set(bins_of(np.full(100, 0.25))) == {0}
    assert set(bins_of(np.array([0.5]))) == {0}


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_the_same_runs_make_the_same_picture_and_another_number_another(drawn_runs, changed, tmp_path, suffix):
    runs = drawn_runs[1:]
    for name in ("one", "two"):
        assert curves.render(runs, out=tmp_path / f"{name}.{suffix}") is None
    curves.render([changed(runs[0], intersection=0), runs[1]], out=tmp_path / f"three.{suffix}")
    one, two, three = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three


def test_saved_heats_are_swept_by_the_runs_own_rules(drawn_runs, tmp_path):
    pytest.importorskip("risbench.scoring.sweep")
    from reports.curves.sweep import sweep_of

    found = sweep_of(drawn_runs[0], load_split("shapes_val"))
    assert found.metrics == ("mIoU", "P@0.5")
    cell = Figure().subplots()
    draw_sweep(cell, [(0, "centre", found)])
    drawn = {line.get_label(): line.get_ydata() for line in cell.get_lines()}
    assert drawn["centre, mIoU"] == pytest.approx([100 * values[0] for values in found.values])
    curves.render(drawn_runs, out=tmp_path / "curves.png")


def _log(path, lines) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 9, "lo')


def test_a_log_shows_every_number_over_its_steps(tmp_path):
    lines = [
        {"step": n, "loss": 1 / (n + 1), "stage": "one", "part": {"a_$b": n}, "done": True} for n in range(0, 8, 2)
    ]
    _log(tmp_path / "stage1" / "log.jsonl", lines)
    log = Log.read_all([tmp_path / "stage1" / "log.jsonl"])[0]
    assert (log.title, log.across) == ("stage1", "step")
    assert log.terms == {
        "loss": ([0, 2, 4, 6], [1, 1 / 3, 1 / 5, 1 / 7]),
        "part.a_$b": ([0, 2, 4, 6], [0, 2, 4, 6]),
    }
    curves.render([], out=tmp_path / "log.pdf", logs=[tmp_path / "stage1" / "log.jsonl"])
    assert (tmp_path / "log.pdf").read_bytes().startswith(b"%PDF")


def test_values_that_are_no_numbers_leave_gaps_and_are_said(tmp_path):
    _log(tmp_path / "log.jsonl", [{"loss": 1.0}, {"loss": float("nan")}, {"loss": float("inf")}, {"loss": 2.0}])
    log = Log(tmp_path / "log.jsonl", "mine")
    assert log.across == "line"
    np.testing.assert_array_equal(log.terms["loss"][1], [1, np.nan, np.nan, 2])
    assert log.notes == ["mine: 2 values are not finite numbers; the lines have gaps there."]


def test_logs_of_one_folder_name_are_told_apart(tmp_path):
    paths = [tmp_path / name / "stage1" / "log.jsonl" for name in ("a", "b")]
    for path in paths:
        _log(path, [{"step": 0, "loss": 1}])
    assert [log.title for log in Log.read_all(paths)] == ["a/stage1", "b/stage1"]


def test_a_running_mean_keeps_constants_and_passes_over_gaps():
    assert running_mean(np.full(9, 3.0), 2) == pytest.approx(np.full(9, 3.0))
    assert running_mean(np.array([1, np.nan, 5, 3]), 1) == pytest.approx([1, 3, 4, 4])
    assert np.isnan(running_mean(np.full(3, np.nan), 1)).all()


def test_a_file_that_is_no_log_is_refused_by_name(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"text": "hello"}\n')
    with pytest.raises(DataError, match=r"log\.jsonl: no line holds a number"):
        curves.render([], out=tmp_path / "log.png", logs=[tmp_path / "log.jsonl"])


@pytest.mark.parametrize(
    ("out", "more", "result"),
    [
        (None, {}, "--out"),
        ("a.jpg", {}, "--out"),
        ("a.png", {}, "give one"),
        ("a.png", {"metrics": "mIoU"}, "--metrics"),
    ],
)
def test_what_curves_cannot_be_is_said(tmp_path, out, more, result):
    with pytest.raises(UsageError, match=result):
        curves.render([], out=tmp_path / out if out else None, **more)


def test_the_axes_of_a_training_have_their_units(tmp_path):
    _log(tmp_path / "log.jsonl", [{"step": n, "loss": 1.0, "lr": 0.1, "memory": 5.0} for n in range(3)])
    log = Log(tmp_path / "log.jsonl", "mine")
    labels = {}
    for term in log.terms:
        cell = Figure().subplots()
        draw_term(cell, [log], term)
        labels[term] = (cell.get_xlabel(), cell.get_ylabel())
    assert labels["lr"] == ("training step", "learning rate")
    assert labels["memory"] == ("training step", "peak memory, MiB")
    assert labels["loss"] == ("training step", "loss, no unit")


def test_a_legend_stands_below_the_axes_and_hides_no_curve(drawn_runs):
    with drawing(3.35, 3.2, []) as (figure, area):
        cell = area.subplots()
        draw_precision(cell, [run.rows() for run in drawn_runs], ["one", "two", "three"])
        figure.draw_without_rendering()
        box = cell.get_legend().get_window_extent()
        assert box.y1 <= cell.get_window_extent().y0
        assert box.y1 <= cell.xaxis.label.get_window_extent().y0
        assert box.y0 >= 0


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_notes_may_stand_in_a_file_beside_the_picture(drawn_runs, tmp_path, suffix):
    runs = drawn_runs[1:2]
    curves.render(runs, out=tmp_path / f"with.{suffix}")
    curves.render(runs, out=tmp_path / f"bare.{suffix}", no_notes=True)
    grid.render(runs, out=tmp_path / f"grid.{suffix}", count=1, no_notes=True)
    assert not (tmp_path / "with.notes.txt").exists()
    for name in ("bare", "grid"):
        notes = (tmp_path / f"{name}.notes.txt").read_text()
        assert "PARTIAL" in notes
        assert "Rules tris" in notes
