"""A run that was changed by hand is said to be changed wherever its figures are shown."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import Ask
from helpers.runs import ious_of, write_run
from helpers.whole import whole_split
from made_up.answers import Answers, heats_for

from reports import rows
from reports.tables import as_csv, as_json, latex, markdown
from risbench import DataError, Run, Settings, evaluate
from risbench.leaderboard.submit import _compare_summary, submit
from risbench.statistics.changes import changes_of
from risbench.statistics.compare import compare

# These runs have no split on this machine, so exported rows have no texts, which is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.*its split is not at hand")
Edit = Callable[[dict[str, Any], list[dict[str, Any]]], None]


def edited(run: Run, to: Path, edit: Edit) -> Run:
    """A copy of a run whose summary and rows were changed."""
    shutil.copytree(run.path, to)
    summary = json.loads((to / "summary.json").read_text())
    lines = [json.loads(line) for line in (to / "rows.jsonl").read_text().splitlines()]
    edit(summary, lines)
    (to / "summary.json").write_text(json.dumps(summary))
    (to / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Run.load(to)


def raise_value(summary: dict[str, Any], _: list[dict[str, Any]]) -> None:
    summary["metrics"]["mIoU"].update(value=0.9, high=0.95)


def raise_row(_: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    lines[0]["intersection"] = lines[0]["union"]


def forget_how_bounds_were_made(summary: dict[str, Any], _: list[dict[str, Any]]) -> None:
    del summary["intervals"]
    summary["metrics"]["mIoU"].update(low=summary["metrics"]["mIoU"]["value"] - 1e-5)


def leave_out(summary: dict[str, Any], _: list[dict[str, Any]]) -> None:
    summary["without_mask"] = 7


def narrow(summary: dict[str, Any], _: list[dict[str, Any]]) -> None:
    summary["metrics"]["mIoU"]["low"] += 0.001


def count_less(summary: dict[str, Any], _: list[dict[str, Any]]) -> None:
    summary["metrics"]["PointM"]["count"] -= 1


def drop(summary: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    lines.pop()
    summary["count"] -= 1
    for number in summary["metrics"].values():
        number["count"] -= 1


def double(_: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    lines[1] = dict(lines[0])


def rename(summary: dict[str, Any], _: list[dict[str, Any]]) -> None:
    summary["method"] = "theirs"


def complete(summary: dict[str, Any], _: list[dict[str, Any]]) -> None:
    summary["missing"] = 7


EDITS: dict[Edit, str] = {
    raise_value: "for mIoU, its summary says otherwise",
    raise_row: "for mIoU, its summary says otherwise",
    narrow: "give an interval of",
    count_less: "give 120 expressions for PointM",
    drop: "has 119 rows, its split has 120 expressions",
    double: "two rows about one expression",
    rename: "the method in the summary of changed differs from its header",
    complete: "0 rows of changed are marked missing",
    leave_out: "give 0 for without_mask",
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path / "run", ious_of(0.4))


def test_a_folder_as_its_run_left_it_is_unchanged(run: Run, tmp_path: Path):
    assert changes_of(run) == ()
    assert changes_of(write_run(tmp_path / "few", [[0.5]], points=False)) == ()
    assert changes_of(evaluate("centre", "shapes_val", limit=5, out=tmp_path / "real")) == ()
    assert changes_of(evaluate("centre", "shapes_val", limit=5, shard=(1, 2), out=tmp_path / "part")) == ()


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_every_change_is_found(run: Run, tmp_path: Path, edit: Edit):
    found = changes_of(edited(run, tmp_path / "changed", edit))
    assert any(EDITS[edit] in change.text for change in found), found


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_every_table_says_it(run: Run, tmp_path: Path, edit: Edit):
    changed = edited(run, tmp_path / "changed", edit)
    for renderer in (markdown, latex, as_json, as_csv, rows):
        assert "CHANGED" in (renderer.render([changed]) or ""), renderer
        assert "CHANGED" not in (renderer.render([run]) or "")
    # Also where the changed figure is not among the columns.
    assert "CHANGED" in (markdown.render([changed], metrics="P@0.9") or "")


def test_bounds_that_do_not_say_how_they_were_made_are_said_to_be_old_and_are_not_submitted(run: Run, tmp_path: Path):
    old = edited(run, tmp_path / "old", forget_how_bounds_were_made)
    for renderer in (markdown, latex, as_json, as_csv):
        assert "OLD: the intervals of old" in (renderer.render([old]) or ""), renderer
    with pytest.raises(DataError, match="OLD: the intervals"):
        _compare_summary(old, old.rows())


def test_a_summary_without_its_rows_is_said_to_be_unchecked(run: Run):
    (run.path / "rows.jsonl").unlink()
    for renderer in (markdown, latex, as_json, as_csv):
        assert "UNCHECKED: run has no rows.jsonl" in (renderer.render([run]) or ""), renderer


def test_csv_has_a_column_only_where_something_was_changed(run: Run, tmp_path: Path):
    changed = edited(run, tmp_path / "changed", raise_value)
    assert "changed" not in as_csv.render([run], metrics="mIoU").splitlines()[0]  # type: ignore[union-attr]
    other = write_run(tmp_path / "other", ious_of(0.2), method="other")
    table = list(csv.DictReader(io.StringIO(as_csv.render([changed, other], metrics="mIoU"))))
    assert ["CHANGED" in line["changed"] for line in table] == [True, False]
    exported = list(csv.DictReader(io.StringIO(rows.render([changed, other]))))
    assert {line["method"]: "CHANGED" in line["changed"] for line in exported} == {"ours": True, "other": False}


def test_compare_says_it(run: Run, tmp_path: Path, ask: Ask):
    changed = edited(run, tmp_path / "changed", raise_row)
    assert compare([changed, run], slices=False).record()["changed"]
    result = ask("compare", changed.path, run.path, "--no-slices")
    assert (result.code, "CHANGED: the rows of changed" in result.out) == (0, True)
    assert "CHANGED" not in ask("compare", run.path, run.path, "--no-slices").out


def test_pictures_pages_sweeps_and_scores_say_it(tmp_path: Path, ask: Ask):
    whole = evaluate("centre", "shapes_val", limit=4, out=tmp_path / "whole", settings=Settings(save_heat=True))
    changed = edited(whole, tmp_path / "changed", raise_value).path
    result = ask("sweep", changed, "--split", "shapes_val")
    assert (result.code, "CHANGED" in result.out) == (0, True)
    assert json.loads(ask("sweep", changed, "--split", "shapes_val", "--json").out)["changed"]
    result = ask("score", changed, "--split", "shapes_val", "--out", tmp_path / "again")
    assert (result.code, "CHANGED" in result.err) == (0, True)
    assert ask("report", changed, "--as", "html", "--out", tmp_path / "page.html").code == 0
    assert "CHANGED" in (tmp_path / "page.html").read_text()
    from reports.about import notes_of

    assert any("CHANGED" in note for note in notes_of([Run.load(changed)]))  # of grids and curves


def test_bounds_that_were_changed_are_not_submitted(tmp_path: Path):
    split = whole_split(tmp_path / "data")
    run = evaluate(Answers(heats_for(split)), split, name="heats", out=tmp_path / "run")
    changed = edited(run, tmp_path / "changed", narrow)
    with pytest.raises(DataError, match="give an interval of"):
        submit(changed, tmp_path / "board")
    assert submit(run, tmp_path / "board").is_file()
