"""The commands over run folders, called as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.runs import ious_of, write_run
from helpers.whole import whole_split
from made_up.answers import Answers, heats_for

from risbench import Settings, evaluate
from risbench.cli import main


@pytest.fixture
def risbench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["risbench", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        result = capsys.readouterr()
        assert "Traceback" not in result.err
        return int(left.value.code or 0), result.out, result.err

    return call


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return [write_run(tmp_path / name, ious_of(level, 1), method=name).path for name, level in (("a", 0.4), ("b", 0.3))]


@pytest.mark.filterwarnings("ignore:the table is about:risbench.DataWarning")  # with the published lines
@pytest.mark.parametrize("kind", ["markdown", "latex", "csv", "json"])
def test_report_prints_each_form(risbench, folders: list[Path], kind: str):
    code, out, err = risbench("report", *folders, "--as", kind, "--columns", "paper1", "--published", "--efficiency")
    assert (code, err) == (0, "")
    assert "TRIS" in out


@pytest.mark.filterwarnings("ignore:.*without text, category, area and words")  # the made-up split is nowhere
def test_report_writes_rows_to_a_file(risbench, folders: list[Path], tmp_path: Path):
    code, out, err = risbench("report", *folders, "--as", "rows", "--out", tmp_path / "rows.jsonl")
    assert (code, out) == (0, "")
    assert "written" in err
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 240


def test_an_option_that_the_renderer_does_not_take_is_refused(risbench, folders: list[Path]):
    code, _, err = risbench("report", *folders, "--as", "rows", "--efficiency")
    assert code == 2
    assert err == "risbench: --efficiency is not an option of --as rows\n"


def test_mixed_runs_need_the_word(risbench, folders: list[Path], tmp_path: Path):
    other = write_run(tmp_path / "c", ious_of(0.4, 1), rules="clean").path
    code, _, err = risbench("report", *folders, other)
    assert code == 2
    assert "different rules (tris and clean)" in err
    assert "--mixed" in err
    code, out, _ = risbench("report", *folders, other, "--mixed")
    assert code == 0
    assert "MIXED" in out


def test_compare_prints_a_table_or_json(risbench, folders: list[Path]):
    code, out, _ = risbench("compare", *folders, "--no-slices", "--metrics", "mIoU")
    assert code == 0
    assert "10.00" in out
    assert "IoU in percent" in out
    code, out, _ = risbench("compare", *folders, "--no-slices", "--json")
    found = json.loads(out)
    assert found["overall"][0]["difference"] == pytest.approx(0.1, abs=1e-3)
    assert found["overall"][0]["differs"] is True
    code, _, err = risbench("compare", folders[0])
    assert code == 2
    assert "give two different runs or more" in err


def test_compare_without_the_data_says_so(risbench, folders: list[Path]):
    code, _, err = risbench("compare", *folders)
    assert code == 1
    assert err.startswith("risbench: ")


def test_sweep_submit_and_leaderboard(risbench, tmp_path: Path):
    split = whole_split(tmp_path / "data")
    heats = heats_for(split)
    run = evaluate(Answers(heats), split, name="heats", out=tmp_path / "run", settings=Settings(save_heat=True))
    where = ("--split", "referit_val", "--data-root", tmp_path / "data")
    code, out, _ = risbench("sweep", run.path, *where, "--thresholds", "0,0.5")
    assert code == 0
    assert "caution: a threshold chosen here is tuned on this split" in out
    code, out, _ = risbench("sweep", run.path, *where, "--json", "--metrics", "oIoU")
    assert json.loads(out)["best"].keys() == {"oIoU"}

    board = ("--board", tmp_path / "board")
    code, out, _ = risbench("submit", run.path, *board)
    assert code == 0
    assert Path(out.strip()).is_file()
    for kind, sign in (("terminal", "┃"), ("markdown", "# Leaderboard"), ("html", "<!doctype html>"), ("json", "[")):
        code, out, _ = risbench("leaderboard", *board, "--as", kind)
        assert code == 0
        assert sign in out
        assert "heats" in out
    code, out, err = risbench("leaderboard", *board, "--split", "refcoco_val", "--as", "json")
    assert (code, json.loads(out)) == (0, [])
    code, _, err = risbench("leaderboard", *board, "--split", "refcoco_vall")
    assert code == 2
    assert "refcoco_val" in err
    np.save(run.path / "heats" / "x.npy", np.zeros(1))  # nobody asks for it


def test_a_changed_run_is_not_submitted(risbench, tmp_path: Path):
    split = whole_split(tmp_path / "data")
    run = evaluate(Answers(heats_for(split)), split, name="heats", out=tmp_path / "run")
    rows = run.path / "rows.jsonl"
    rows.write_text(rows.read_text().replace('"union": ', '"union": 1', 1))
    code, _, err = risbench("submit", run.path, "--board", tmp_path / "board")
    assert code == 1
    assert "says union" in err
