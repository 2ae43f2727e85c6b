"""Past runs are listed and found again by `last`."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from helpers.commands import Ask
from helpers.runs import ious_of, write_run

from risbench.cli.runs import age_of


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run that was finished at a minute of one hour, below ./runs."""

    def make(name: str, minute: int, method: str = "ours") -> Path:
        folder = tmp_path / "runs" / name
        write_run(folder, ious_of(0.4, minute), method=method)
        header = json.loads((folder / "header.json").read_text())
        header["provenance"][-1]["finished"] = f"2026-01-02T03:{minute:02}:05Z"
        (folder / "header.json").write_text(json.dumps(header))
        return folder

    return make


def test_the_newest_complete_run_comes_first_wherever_it_lies(made: Callable[..., Path], ask: Ask):
    made("refcoco_val/a/x", 10, "old")
    made("mine", 30, "new")
    made("deep/er/still/there", 20, "middle")
    runs = json.loads(ask("runs", "--json").out)
    assert [(run["name"], run["method"]) for run in runs] == [("last", "new"), ("last:2", "middle"), ("last:3", "old")]
    assert runs[0]["metrics"]["mIoU"]["value"] == pytest.approx(0.4, abs=0.1)
    assert runs[0]["when"] == "2026-01-02T03:30:05Z"
    table = ask("runs").out
    for cell in ("last:3", "refcoco_val", "middle", "tris", "120", "runs/deep/er/still/there", "mIoU"):
        assert cell in table
    assert [run["method"] for run in json.loads(ask("runs", "--json", "--method", "old").out)] == ["old"]
    assert json.loads(ask("runs", "--json", "--split", "refcoco_testA").out) == []
    assert [run["name"] for run in json.loads(ask("runs", "--json", "--in", "runs/deep").out)] == [None]


def test_last_is_the_newest_run_and_its_folder_is_printed(made: Callable[..., Path], ask: Ask):
    made("one", 10, "old")
    made("two", 30, "new")
    result = ask("report", "last", "--metrics", "mIoU")
    assert (result.code, result.err) == (0, "last is runs/two (new on refcoco_val, rules tris)\n")
    assert "| new |" in result.out
    result = ask("compare", "last:2", "last", "--no-slices", "--metrics", "mIoU")
    assert "old minus new" in result.out
    assert "last:2 is runs/one" in result.err
    for words in (("sweep", "last", "--split", "x"), ("score", "last", "--split", "x"), ("submit", "last")):
        assert "last is runs/two" in ask(*words).err  # whatever these refuse afterwards


def test_a_run_that_is_not_complete_is_marked_and_never_last(made: Callable[..., Path], ask: Ask):
    made("one", 10)
    (made("two", 20) / "summary.json").unlink()
    (made("three", 30) / "header.json").write_text("{")
    states = {run["folder"]: run["state"] for run in json.loads(ask("runs", "--json").out)}
    assert states == {"runs/one": "complete", "runs/two": "unfinished", "runs/three": "broken"}
    assert "120 of 120 expressions are scored" in ask("runs").out
    result = ask("report", "last")
    assert "last is runs/one" in result.err
    assert "a newer run is not complete, so it is not `last`" in result.err


def test_a_run_that_is_being_written_is_called_running(made: Callable[..., Path], ask: Ask):
    folder = made("one", 10)
    (folder / "summary.json").unlink()
    with (folder / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert [run["state"] for run in json.loads(ask("runs", "--json").out)] == ["running"]


def test_shards_that_are_not_merged_are_one_run_to_be_merged(made: Callable[..., Path], ask: Ask):
    made("sharded/shards/0-of-2", 10)
    (run,) = json.loads(ask("runs", "--json").out)
    assert (run["folder"], run["state"], run["about"]) == ("runs/sharded", "unfinished", "1 of 2 shards finished")
    made("sharded/shards/1-of-2", 10)
    (run,) = json.loads(ask("runs", "--json").out)
    assert run["about"] == "2 of 2 shards finished; `risbench merge runs/sharded` makes the run"


def test_a_folder_that_is_called_last_is_meant_by_last(made: Callable[..., Path], ask: Ask, tmp_path: Path):
    made("one", 10, "one")
    write_run(tmp_path / "last", ious_of(0.5), method="folder")
    result = ask("report", "last", "--metrics", "mIoU")
    assert "| folder |" in result.out
    assert result.err == ""


@pytest.mark.parametrize("name", ["last", "last:2", "last:0"])
def test_a_run_that_is_not_there_is_one_line(made: Callable[..., Path], ask: Ask, name: str):
    if name != "last":
        made("one", 10)
    result = ask("report", name)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert "complete run is below ./runs here" in result.err


def test_no_runs_at_all_is_no_error_but_a_folder_that_is_absent_is(ask: Ask):
    result = ask("runs")
    assert (result.code, result.out) == (0, "")
    assert "no runs below runs" in result.err
    assert ask("runs", "--json").out == "[]\n"
    assert ask("runs", "--in", "nowhere").code == 2


def test_the_scores_of_a_training_are_no_runs(made: Callable[..., Path], ask: Ask, tmp_path: Path):
    made("train/tris/scores/stage1", 10)
    (tmp_path / "runs" / "train" / "tris" / "recipe.json").write_text("{}")
    assert json.loads(ask("runs", "--json").out) == []


def test_an_age_is_in_the_largest_whole_unit():
    now = datetime(2026, 1, 2, tzinfo=UTC)
    ages = [age_of(now - timedelta(seconds=seconds), now) for seconds in (-5, 59, 60, 7199, 7200, 86_400, 200_000)]
    assert ages == ["0 s", "59 s", "1 min", "1 h", "2 h", "1 day", "2 days"]
