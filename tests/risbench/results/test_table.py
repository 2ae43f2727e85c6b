"""A run as a table has the numbers of its rows and the texts of its split, in pandas, in files and in a notebook."""

from __future__ import annotations

import csv
import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers.runs import ious_of, write_run
from helpers.small import small_split, write_small
from made_up.methods import Heats

from reports import rows as rows_report
from risbench import DataError, DataWarning, Run, Split, UsageError, evaluate, load_split
from risbench.masks import decode
from risbench.results.export.table import COLUMNS

pandas = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 6)


@pytest.fixture(scope="module")
def run(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return evaluate(Heats(), split, out=tmp_path_factory.mktemp("runs") / "run", name="<b>mine</b>")


def test_each_line_has_the_scores_of_its_row_and_the_facts_of_its_sample(run: Run, split: Split):
    frame = run.to_frame()
    assert list(frame.columns) == list(COLUMNS)
    assert frame["iou"].mean() == pytest.approx(run.summary["metrics"]["mIoU"]["value"])
    for line, row, sample in zip(frame.itertuples(), run.rows(), split, strict=True):
        assert (line.id, line.image_id, line.sent_id) == (row.id, row.image_id, row.sent_id)
        assert (line.intersection, line.union, line.iou, line.hit_box) == (
            row.intersection,
            row.union,
            row.iou,
            row.hit_box,
        )
        covered = np.any([decode(part) for part in sample.parts], axis=0)
        assert line.area == pytest.approx(np.argwhere(covered).shape[0] / covered.size)
        assert (line.text, line.category, line.words) == (sample.text, sample.category, len(sample.text.split()))


def test_a_given_split_is_taken_and_another_is_refused(run: Run, split: Split, tmp_path: Path):
    pandas.testing.assert_frame_equal(run.to_frame(split), run.to_frame())
    with pytest.raises(UsageError, match="another copy of refcoco_val"):
        run.to_frame(small_split(tmp_path / "other", 5))
    with pytest.raises(UsageError, match="another copy of refcoco_val"):
        run.to_frame(data_root=tmp_path / "other")
    with pytest.raises(DataError):
        run.to_frame(data_root=tmp_path / "nothing")


def test_without_the_split_there_are_the_scores_and_a_warning(tmp_path: Path):
    root = write_small(tmp_path / "data", 3)
    run = evaluate(Heats(), load_split("refcoco_val", root), out=tmp_path / "run")
    whole = run.to_frame()
    root.rename(tmp_path / "gone")
    with pytest.warns(DataWarning, match="without text, category, area and words, because its split is not at hand"):
        frame = run.to_frame()
    assert frame[["text", "category", "area", "words"]].isna().all(axis=None)
    others = [name for name in COLUMNS if name not in ("text", "category", "area", "words")]
    pandas.testing.assert_frame_equal(frame[others], whole[others])


def test_a_table_never_draws_scenes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RISBENCH_CACHE", str(tmp_path / "cache"))
    run = write_run(tmp_path / "run", ious_of(0.4, 1, images=3), split="shapes_val")
    with pytest.warns(DataWarning, match="its scenes are not drawn on this machine yet"):
        run.to_frame()
    assert not (tmp_path / "cache").exists()


def test_what_is_absent_is_missing_and_ids_of_text_stay_text(tmp_path: Path):
    run = write_run(tmp_path / "run", ious_of(0.4, 1, images=3), points=False)
    lines = [json.loads(line) for line in (run.path / "rows.jsonl").read_text().splitlines()]
    lines[0] |= {"image_id": "a", "intersection": None, "union": None, "box_iou": None, "box_hit": None}
    (run.path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.warns(DataWarning):
        frame = run.to_frame()
    assert frame.loc[0, ["iou", "union", "box_iou", "box_hit", "hit_box"]].isna().all()
    assert frame["image_id"].tolist()[:4] == ["a", "0", "0", "1"]
    assert frame["box_hit"].dtype == "boolean"
    assert frame["union"].sum() == 1000 * (len(lines) - 1)


def test_the_export_of_rows_has_the_same_columns_and_values(run: Run, tmp_path: Path):
    lines = list(csv.DictReader(io.StringIO(rows_report.render([run]) or "")))
    frame = run.to_frame()
    assert [name for name in lines[0] if name in COLUMNS] == list(frame.columns)
    assert [line["text"] for line in lines] == frame["text"].tolist()
    assert [float(line["area"]) for line in lines] == frame["area"].tolist()
    assert [int(line["words"]) for line in lines] == frame["words"].tolist()
    pytest.importorskip("pyarrow")
    rows_report.render([run], out=tmp_path / "rows.parquet")
    read = pandas.read_parquet(tmp_path / "rows.parquet")[list(COLUMNS)]
    pandas.testing.assert_frame_equal(read, frame, check_dtype=False)
    frame.to_parquet(tmp_path / "frame.parquet")


def test_a_run_of_a_part_has_that_part(split: Split, tmp_path: Path):
    run = evaluate(Heats(), split[2:6], out=tmp_path / "run")
    assert run.to_frame()["text"].tolist() == [sample.text for sample in split[2:6]]
    pandas.testing.assert_frame_equal(run.to_frame(split[2:6]), run.to_frame(split))
    with pytest.raises(UsageError, match=r"is not in <Split refcoco_val\[:3\]: .*: give the whole split"):
        run.to_frame(split[:3])


def test_a_run_shows_itself_in_a_line(run: Run):
    figures = [100 * run.summary["metrics"][name]["value"] for name in ("mIoU", "oIoU")]
    wanted = f"mIoU {figures[0]:.1f}, oIoU {figures[1]:.1f}, {run.summary['count']} expressions, rules tris, PARTIAL"
    assert repr(run) == f"<Run of <b>mine</b> on refcoco_val: {wanted}; {run.path}>"


def test_a_notebook_shows_every_figure_and_note_and_no_markup_of_others(run: Run, tmp_path: Path):
    page = run._repr_html_()
    assert "&lt;b&gt;mine" in page
    assert "<b>mine" not in page
    assert "http" not in page
    for name, number in run.summary["metrics"].items():
        assert f">{name}</td>" in page
        assert f">{100 * number['low']:.2f} to {100 * number['high']:.2f}</td>" in page
    assert "Rules tris: truth where exactly one part covers" in page
    assert "PARTIAL" in page


def test_a_notebook_says_what_was_changed_by_hand_and_what_cannot_be_checked(tmp_path: Path):
    run = write_run(tmp_path / "run", ious_of(0.4, 1, images=3))
    summary = json.loads((run.path / "summary.json").read_text())
    summary["metrics"]["mIoU"]["value"] += 0.05
    (run.path / "summary.json").write_text(json.dumps(summary))
    assert "CHANGED: the rows of run give" in Run.load(run.path)._repr_html_()
    (run.path / "rows.jsonl").write_text("{}\n")
    page = Run.load(run.path)._repr_html_()
    assert "UNCHECKED: " in page
    assert "rows.jsonl" in page
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "mIoU" in repr(Run.load(run.path))
