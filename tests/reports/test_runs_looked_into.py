"""Runs looked into: every form has the same figures, every picture is drawn, and nothing is left unsaid."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import Ask
from helpers.runs import ious_of, write_run

from reports import breakdown, curves
from reports.breakdown.histogram import EDGES, bins_of_iou
from reports.tables import as_csv, as_json, latex, markdown
from risbench import DataError, Run, UsageError
from risbench.statistics.failures import OUTCOMES

ONE_RUN = ("length", "area", "category", "form", "position", "siblings", "failure", "iou")


@pytest.mark.parametrize("by", [*ONE_RUN, "pair"])
def test_every_form_has_the_same_figures(drawn_runs: list[Run], by: str):
    runs = drawn_runs[1:]
    record = json.loads(as_json.render(runs, by=by) or "")
    lines = list(csv.DictReader(io.StringIO(as_csv.render(runs, by=by) or "")))
    printed = [line for line in (markdown.render(runs, by=by) or "").splitlines() if line.startswith("| ")][1:]
    tex = latex.render(runs, by=by) or ""
    assert len(record["rows"]) == len(lines) == len(printed) == tex.count(r" \\") - 1
    for row, line, text in zip(record["rows"], lines, printed, strict=True):
        for key, value in row.items():
            if not isinstance(value, dict):
                assert line[key] == str(value)
                continue
            if value["value"] is None:
                assert line[f"{key} %"] == ""
                continue
            percent = 100 * value["value"]
            assert float(line[f"{key} %"]) == pytest.approx(percent, abs=1e-4)
            assert f"{percent:.1f}" in text
            assert f"{percent:.1f}" in tex
    assert lines[0]["notes"] == " ".join(record["notes"])
    for note in ("PARTIAL", "Rules tris", "Drawn scenes"):
        assert any(note in one for one in record["notes"])


def test_the_outcomes_of_a_run_are_all_its_expressions(drawn_runs: list[Run]):
    record = json.loads(as_json.render(drawn_runs, by="failure") or "")
    assert [row["outcome"] for row in record["rows"]] == list(OUTCOMES.values())
    for run, title in zip(drawn_runs, record["runs"], strict=True):
        assert sum(row[f"{title} expressions"] for row in record["rows"]) == run.summary["count"]
        right = record["rows"][0][f"{title} share"]["value"]
        assert right == pytest.approx(run.summary["metrics"]["P@0.5"]["value"])


def test_the_upper_half_of_the_histogram_is_p_at_half(drawn_runs: list[Run]):
    record = json.loads(as_json.render(drawn_runs[:1], by="iou") or "")
    counts = [row[f"{record['runs'][0]} expressions"] for row in record["rows"]]
    assert sum(counts) == drawn_runs[0].summary["count"]
    share = sum(counts[10:]) / sum(counts)
    assert share == pytest.approx(drawn_runs[0].summary["metrics"]["P@0.5"]["value"])


def test_an_iou_on_an_edge_is_in_the_bin_that_begins_there():
    assert bins_of_iou(EDGES).tolist() == [*range(20), 19]
    assert bins_of_iou(np.array([0.049, 0.35, 7 / 20, 0.9999])).tolist() == [0, 7, 7, 19]


def test_one_run_against_another_counts_each_case(tmp_path: Path):
    first = write_run(tmp_path / "a", [[0.6, 0.6], [0.4, 0.4], [0.7, 0.2]], method="a")
    second = write_run(tmp_path / "b", [[0.5, 0.4], [0.9, 0.4], [0.7, 0.1]], method="b")
    record = json.loads(as_json.render([first, second], by="pair") or "")
    assert [(row["right"], row["expressions"]) for row in record["rows"]] == [
        ("both", 2),
        ("only a", 1),
        ("only b", 1),
        ("neither", 2),
    ]
    assert record["rows"][0]["a mIoU"]["value"] == pytest.approx(0.65)
    assert record["notes"][0] == "IoU is larger under a for 3, under b for 1, the same for 2 of 6 expressions."


@pytest.mark.parametrize("by", [*ONE_RUN, "pair"])
def test_every_kind_is_drawn_and_its_notes_may_stand_beside_it(drawn_runs: list[Run], tmp_path: Path, by: str):
    runs = drawn_runs[1:]
    assert curves.render(runs, by=by, out=tmp_path / "one.svg") is None
    curves.render(runs, by=by, out=tmp_path / "two.svg")
    curves.render(runs, by=by, out=tmp_path / "bare.pdf", no_notes=True)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.svg").read_bytes().startswith(b"<?xml")
    assert not (tmp_path / "one.notes.txt").exists()
    assert (tmp_path / "bare.pdf").read_bytes().startswith(b"%PDF")
    notes = (tmp_path / "bare.notes.txt").read_text().splitlines()
    assert notes == list(breakdown.broken_down(runs, by).notes)
    assert any(note.startswith("PARTIAL") for note in notes)


@pytest.mark.parametrize(
    ("by", "more", "words"),
    [
        ("lenght", {}, "did you mean 'length'"),
        ("iou", {"metrics": "mIoU"}, "leave --metrics out"),
        ("pair", {}, "give two runs, not 3"),
        ("length", {"published": True}, "--published is of tables of runs"),
    ],
)
def test_what_a_breakdown_cannot_be_is_refused(drawn_runs: list[Run], by: str, more: dict, words: str):
    with pytest.raises(UsageError, match=words):
        markdown.render(drawn_runs, by=by, **more)


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path):
    runs = [write_run(tmp_path / rules, ious_of(0.3), rules=rules) for rules in ("tris", "lavt")]
    for by in ("iou", "pair"):
        with pytest.raises(UsageError, match="different rules"):
            markdown.render(runs, by=by)


def test_without_a_true_mask_there_is_nothing_to_count(drawn_runs: list[Run], changed):
    run = drawn_runs[0]
    for row in range(len(run.rows())):
        run = changed(run, row=row, intersection=None, union=None) if row == 0 else run
    lines = [json.loads(line) for line in (run.path / "rows.jsonl").read_text().splitlines()]
    text = "".join(json.dumps({**line, "intersection": None, "union": None}) + "\n" for line in lines)
    (run.path / "rows.jsonl").write_text(text)
    for by in ("iou", "failure"):
        with pytest.raises(DataError, match="no expression of these runs has"):
            markdown.render([run], by=by)


def test_the_command_takes_the_form_from_the_files_ending(ask: Ask, drawn_runs: list[Run], tmp_path: Path):
    run = drawn_runs[1].path
    result = ask("report", run, "--by", "failure")
    assert (result.code, "| partial |" in result.out) == (0, True)
    assert ask("report", run, "--by", "length", "--out", tmp_path / "t.csv").code == 0
    assert (tmp_path / "t.csv").read_text().startswith("part,expressions,images,")
    result = ask("report", run, "--by", "iou", "--out", tmp_path / "p.svg", "--no-notes")
    assert (result.code, f"its notes: {tmp_path}/p.notes.txt" in result.err) == (0, True)
    result = ask("report", run, "--out", tmp_path / "q.png")
    assert (result.code, "give --as grid, --as curves, or --by KIND" in result.err) == (2, True)
    result = ask("report", run, "--by", "length", "--as", "grid", "--out", tmp_path / "q.png")
    assert (result.code, "--by is not an option of --as grid" in result.err) == (2, True)
    assert not re.search("Traceback", result.err)
