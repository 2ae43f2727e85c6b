"""`report` and `compare` take what a shell's `*` gives: runs, and what lies beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.commands import Ask
from helpers.runs import ious_of, write_run

from risbench.cli.folders import logs_in


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with two runs, a folder of two more, a picture, a training and an empty folder."""
    base = tmp_path / "runs"
    for number, name in enumerate(("one", "two", "demo/three", "demo/four")):
        write_run(base / name, ious_of(0.2 + number / 10, number), method=name.rpartition("/")[2])
    (base / "grid.png").write_bytes(b"\x89PNG")
    (base / "t1").mkdir()
    (base / "t1" / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    (base / "empty").mkdir()
    return base


@pytest.mark.parametrize("words", [("report",), ("compare", "--no-slices")])
def test_what_lies_beside_runs_is_passed_over_and_named(runs: Path, ask: Ask, words: tuple[str, ...]):
    result = ask(*words, *sorted(runs.iterdir()))
    assert result.code == 0, result.err
    for name in ("one", "two", "three", "four"):
        assert name in result.out
    assert f"{runs}/demo contains 2 runs: all are used" in result.err
    assert f"{runs}/grid.png is a picture or page" in result.err
    assert f"{runs}/t1 is a training's folder" in result.err
    assert f"{runs}/empty is an empty folder" in result.err


@pytest.mark.parametrize("words", [("report",), ("compare", "--no-slices")])
def test_a_folder_of_runs_stands_for_them(runs: Path, ask: Ask, words: tuple[str, ...]):
    for folder, names in ((runs / "demo", ("three", "four")), (runs, ("one", "two", "three", "four"))):
        result = ask(*words, folder)
        assert result.code == 0, result.err
        assert all(name in result.out for name in names)
    assert ask("report", runs, runs / "one").out == ask("report", runs).out  # named twice, it is one


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("grid.png", "grid.png is a picture or page"),
        ("t1", "t1 is a training's folder (`report --as curves` draws it)"),
        ("empty", "empty is an empty folder"),
        ("t1/log.jsonl", "log.jsonl is a file of lines (a training's log is read by `report --as curves`)"),
    ],
)
def test_what_is_no_run_is_called_what_it_is(runs: Path, ask: Ask, name: str, words: str):
    for command in ("report", "compare"):
        result = ask(command, runs / name)
        assert result.code == 2
        assert words in result.err
        assert len(result.err.splitlines()) == 1


def test_what_lies_in_a_folder_of_runs_and_is_none_is_skipped_with_a_line(runs: Path, ask: Ask):
    (runs / "two" / "summary.json").unlink()
    result = ask("report", runs)
    assert result.code == 0, result.err
    assert all(name in result.out for name in ("one", "three", "four"))
    skipped = next(line for line in result.err.splitlines() if "skipped" in line)
    assert f"{runs}/empty is an empty folder" in skipped
    assert f"{runs}/grid.png is a picture or page" in skipped
    assert f"{runs}/t1 is a training's folder" in skipped
    assert "and 1 more" in skipped


def test_an_unfinished_run_in_a_folder_is_named(runs: Path, ask: Ask):
    (runs / "demo" / "four" / "summary.json").unlink()
    result = ask("report", runs / "demo")
    assert (result.code, f"{runs}/demo/four is an unfinished run" in result.err) == (0, True)
    (runs / "demo" / "three" / "summary.json").unlink()
    result = ask("report", runs / "demo")
    assert (result.code, "demo is a folder whose runs are all unfinished" in result.err) == (2, True)


def test_a_trainings_folder_is_drawn_with_every_stage(runs: Path, ask: Ask, tmp_path: Path):
    for stage in ("stage1", "stage2"):
        (runs / "t2" / stage).mkdir(parents=True)
        (runs / "t2" / stage / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
    result = ask("report", runs / "t2", "--out", tmp_path / "t.svg")
    assert result.code == 0, result.err
    logs, others = logs_in([runs / "t2", runs / "t1", runs / "one", runs])
    names = [log.relative_to(runs).as_posix() for log in logs]
    assert names == ["t2/stage1/log.jsonl", "t2/stage2/log.jsonl", "t1/log.jsonl"]
    assert others == [runs / "one", runs]


def test_a_run_that_is_not_whole_is_not_passed_over(runs: Path, ask: Ask):
    (runs / "two" / "summary.json").unlink()
    result = ask("report", runs / "one", runs / "two")
    assert (result.code, "two is not finished" in result.err) == (1, True)
    (runs / "two" / "header.json").unlink()
    result = ask("report", runs / "one", runs / "two")
    assert (result.code, "two is not a run folder: it has no header.json" in result.err) == (1, True)


def test_a_name_that_does_not_exist_is_not_passed_over(runs: Path, ask: Ask):
    for command in ("report", "compare"):
        result = ask(command, runs / "one", runs / "tow")
        assert (result.code, f"{runs}/tow is not a run folder: it does not exist" in result.err) == (1, True)


def test_curves_still_take_logs(runs: Path, ask: Ask, tmp_path: Path):
    result = ask("report", runs / "t1" / "log.jsonl", "--as", "curves", "--out", tmp_path / "curves.png")
    assert result.code == 0, result.err


def test_a_run_named_twice_is_not_compared_with_itself(runs: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch):
    (runs / "link").symlink_to(runs / "one")
    for again in (runs / "one", runs / "two/../one", runs / "link"):
        result = ask("compare", runs / "one", again)
        assert result.code == 2
        assert result.err.splitlines() == [
            f"risbench: {runs}/one is the only run given: give two different runs or more to compare"
        ]
    assert ask("compare", "--no-slices", runs / "two", runs / "one", runs / "link").code == 0
