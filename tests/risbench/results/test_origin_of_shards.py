"""Shards of different code are not mixed, and a run is overwritten only on request."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.plugged import OTHER, Plugin, part_of
from made_up.methods import Heats

from risbench import Settings, Split, UsageError, evaluate, merge, score
from risbench.results import origin
from risbench.running.loop import Stopped


def test_shards_by_different_code_are_not_merged(split: Split, plugin: Plugin, tmp_path: Path):
    evaluate("plugged", split, out=tmp_path / "run", shard=(0, 2))
    plugin.method(0.25)
    with pytest.raises(UsageError, match="0-of-2 " + OTHER):  # before the work, not after it
        evaluate("plugged", split, out=tmp_path / "run", shard=(1, 2))
    evaluate("plugged", split, out=tmp_path / "run", shard=(1, 2), overwrite=True)
    with pytest.raises(UsageError, match=r"0-of-2 and .*1-of-2 were made by different code: the code of the method"):
        merge(tmp_path / "run", split=split)
    evaluate("plugged", split, out=tmp_path / "run", shard=(0, 2), overwrite=True)
    made = merge(tmp_path / "run", split=split)
    assert origin.is_known(made.header["origin"])
    plugin.method(0.125)
    with pytest.raises(UsageError, match=OTHER):  # before the work, not after it
        evaluate("plugged", split, out=tmp_path / "run", shard=(0, 2))
    for number in range(2):
        evaluate("plugged", split, out=tmp_path / "run", shard=(number, 2), overwrite=True)
    with pytest.raises(UsageError, match=OTHER):
        merge(tmp_path / "run", split=split)
    assert merge(tmp_path / "run", split=split, overwrite=True).summary["count"] == len(split)


def test_a_shard_of_another_run_does_not_begin_beside_others(split: Split, tmp_path: Path):
    evaluate(Heats(), split, out=tmp_path / "run", shard=(0, 2))
    with pytest.raises(
        UsageError, match=r'0-of-2 holds another run: its rules\.name is "tris", this command\'s is "lavt"'
    ):
        evaluate(Heats(), split, out=tmp_path / "run", shard=(1, 2), rules="lavt")
    assert not (tmp_path / "run/shards/1-of-2").exists()


def test_a_shard_that_was_begun_anew_goes_on_beside_old_ones(split: Split, plugin: Plugin, tmp_path: Path):
    evaluate("plugged", split, out=tmp_path / "run", shard=(1, 2))
    plugin.method(0.25)
    with pytest.raises(Stopped):
        evaluate("plugged", split, out=tmp_path / "run", shard=(0, 2), overwrite=True, stop=lambda: True)
    run = evaluate("plugged", split, out=tmp_path / "run", shard=(0, 2))
    assert len(run.header["provenance"]) == 2


def test_overwriting_removes_the_run_and_nothing_else(split: Split, tmp_path: Path):
    keep = Settings(save_heat=True)
    evaluate(Heats(), split, out=tmp_path / "run", settings=keep)
    for name in ("notes.txt", "heats/mine.txt", "shards/0-of-2/rows.jsonl"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_text("mine")
    run = evaluate(Heats(), split, rules="lavt", out=tmp_path / "run", overwrite=True)
    assert run.header["rules"]["name"] == "lavt"
    assert len(run.cost()) == 1
    for name in ("notes.txt", "heats/mine.txt", "shards/0-of-2/rows.jsonl"):
        assert (tmp_path / "run" / name).read_text() == "mine"
    assert not list((tmp_path / "run" / "heats").glob("*.npz"))


@pytest.mark.parametrize("file", ["rows.jsonl", "thesis.txt", "header.json"])
def test_a_folder_that_is_no_run_is_not_overwritten(split: Split, tmp_path: Path, file: str):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / file).write_text('{"name": "mine"}')
    with pytest.raises(UsageError, match="is not a run folder, so --overwrite leaves it alone: give another --out"):
        evaluate(Heats(), split, out=tmp_path / "mine", overwrite=True)
    assert [found.name for found in (tmp_path / "mine").iterdir()] == [file]


def test_overwriting_what_is_not_there_yet_is_a_new_run(split: Split, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent"):
        assert evaluate(Heats(), split, out=tmp_path / name, overwrite=True).summary["count"] == len(split)


def test_predictions_are_scored_anew_by_whatever_code(split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = evaluate(Heats(), split, out=tmp_path / "run")
    first = score(run.path, split, out=tmp_path / "scored")
    edited = {**origin.scoring_origin(), "sha256": "0" * 64}
    monkeypatch.setattr(sys.modules["risbench.scoring.predictions"], "scoring_origin", lambda: edited)
    again = score(run.path, split, out=tmp_path / "scored")
    assert again.summary == first.summary
    assert part_of(again.path)["scoring"]["sha256"] == "0" * 64
