"""Shards become the run that one process would have made, or nothing; see test_run for the proof that they do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.folders import content_of, costs_of, names_in, provenance_of
from helpers.small import small_split, write_small
from helpers.waiting import GUARD
from made_up.methods import Heats

import risbench
from risbench import RisbenchError, Settings, Split, UsageError, evaluate, load_split, merge
from risbench.results import jsonlines
from risbench.running.shards import wait_for_shards

_MAIN = "from risbench.cli import main; main()"


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def shards(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    for number in range(3):
        evaluate(Heats(), split, out=folder, shard=(number, 3))
    return folder


@pytest.fixture
def out(shards: Path, tmp_path: Path) -> Path:
    shutil.copytree(shards, tmp_path / "run")
    return tmp_path / "run"


def _edit_header(shard: Path, **changes: Any) -> None:
    header = json.loads((shard / "header.json").read_text())
    (shard / "header.json").write_text(json.dumps({**header, **changes}))


def test_merging_again_changes_nothing(split: Split, out: Path):
    first = merge(out, split=split)
    names, content, parts = names_in(out), content_of(out), provenance_of(out)
    again = merge(out, split=split)
    assert again == first
    assert (names_in(out), content_of(out), provenance_of(out)) == (names, content, parts)


def test_a_merge_that_was_cut_off_is_done_again_whole(split: Split, out: Path):
    content = content_of(merge(out, split=split).path)
    (out / "summary.json").unlink()
    (out / "masks.jsonl").write_bytes((out / "masks.jsonl").read_bytes()[:-40])
    merge(out, split=split)
    assert content_of(out) == content
    assert len(provenance_of(out)) == 3
    assert len(costs_of(out)) == 3


def test_the_split_is_found_where_the_run_found_it(split: Split, out: Path):
    assert merge(out).summary["count"] == len(split)


def test_a_merged_run_is_what_the_whole_command_continues(split: Split, out: Path):
    merge(out, split=split)
    content = content_of(out)
    method = Heats()
    evaluate(method, split, out=out)
    assert method.requests == []
    assert content_of(out) == content


def test_no_shards_are_no_run(tmp_path: Path):
    with pytest.raises(UsageError, match="has no shards: `risbench run"):
        merge(tmp_path)
    with pytest.raises(UsageError, match="has no shards"):
        merge(tmp_path / "absent")


def test_an_absent_shard_is_named(split: Split, out: Path):
    shutil.rmtree(out / "shards" / "1-of-3")
    with pytest.raises(RisbenchError, match=r"not finished: shard 1-of-3; run it with --shard I/N --out"):
        merge(out, split=split)
    assert not (out / "header.json").exists()


def test_an_unfinished_shard_is_named(split: Split, out: Path):
    (out / "shards" / "2-of-3" / "summary.json").unlink()
    with pytest.raises(RisbenchError, match=r"not finished: shard 2-of-3"):
        merge(out, split=split)


def test_shards_of_two_kinds_are_refused(split: Split, out: Path):
    evaluate(Heats(), split, out=out, shard=(0, 2))
    with pytest.raises(UsageError, match="holds shards of 2 and of 3: remove the wrong ones"):
        merge(out, split=split)


@pytest.mark.parametrize("name", ["0-of-0", "0-of-three", "a-of-"])
def test_a_folder_that_is_no_shard_is_named(tmp_path: Path, name: str):
    (tmp_path / "shards" / name).mkdir(parents=True)
    with pytest.raises(UsageError, match="is not named I-of-N"):
        merge(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("method", {"name": "Other", "entry_point": None, "card": {}}),
        ("rules", {"name": "lavt", "text": "", "threshold": None}),
        ("arguments", {"given": {"seed": 1}, "defaulted": {}}),
        ("texts", "empty"),
        ("limit", 4),
        ("save_heat", "float16"),
        ("schema", 0),
    ],
)
def test_parts_of_different_runs_are_refused(split: Split, out: Path, key: str, value: Any):
    _edit_header(out / "shards" / "1-of-3", **{key: value})
    with pytest.raises(UsageError, match=rf"0-of-3 and .*1-of-3 are parts of different runs: their {key} differ"):
        merge(out, split=split)


def test_a_shard_that_is_there_twice_is_refused(split: Split, out: Path):
    shutil.rmtree(out / "shards" / "1-of-3")
    shutil.copytree(out / "shards" / "0-of-3", out / "shards" / "1-of-3")
    with pytest.raises(RisbenchError, match=r"refcoco_val/\d+/\d+ is in more than one shard"):
        merge(out, split=split)


def test_a_shard_that_lost_rows_is_refused(split: Split, out: Path):
    rows = out / "shards" / "1-of-3" / "rows.jsonl"
    lines = rows.read_bytes().splitlines(keepends=True)
    rows.write_bytes(b"".join(lines[:-2]))
    with pytest.raises(RisbenchError, match=r"1-of-3/rows\.jsonl: holds \d+ lines, the summary counts \d+ expressions"):
        merge(out, split=split)
    assert not (out / "header.json").exists()


def test_a_row_of_another_split_is_refused(split: Split, out: Path):
    rows = out / "shards" / "1-of-3" / "rows.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b"refcoco_val/", b"refcoco_testA/", 1))
    with pytest.raises(RisbenchError, match=r"refcoco_testA/\d+/\d+ does not belong to the split"):
        merge(out, split=split)


def test_a_shard_that_lost_masks_is_refused(split: Split, out: Path):
    masks = out / "shards" / "1-of-3" / "masks.jsonl"
    lines = masks.read_bytes().splitlines(keepends=True)
    masks.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(RisbenchError, match=rf"masks.jsonl: has no line for {json.loads(lines[-1])['id']}"):
        merge(out, split=split)
    assert not (out / "summary.json").exists()


def test_a_broken_mask_line_is_named(split: Split, out: Path):
    masks = out / "shards" / "0-of-3" / "masks.jsonl"
    lines = masks.read_bytes().splitlines(keepends=True)
    masks.write_bytes(b"".join([lines[0], lines[1][:20] + b"\n", *lines[2:]]))
    with pytest.raises(RisbenchError, match=r"masks\.jsonl, line 2: not JSON"):
        merge(out, split=split)


def test_another_copy_of_the_split_is_refused(out: Path, tmp_path: Path):
    other = load_split("refcoco_val", write_small(tmp_path / "other", 8, seed=1))
    with pytest.raises(RisbenchError, match=r"was run on another copy of refcoco_val than the one in .*other"):
        merge(out, split=other)
    with pytest.raises(RisbenchError, match="was run on another copy of"):
        merge(out, tmp_path / "other")


def test_shards_do_not_merge_into_another_run(split: Split, out: Path):
    """Neither a finished run nor an unfinished one in the folder may pass for theirs."""
    evaluate(Heats(), split, out=out, rules="lavt")
    for name in ("none", "summary.json"):
        (out / name).unlink(missing_ok=True)
        with pytest.raises(UsageError, match=r'holds another run: its rules\.name is "lavt"'):
            merge(out, split=split)


def test_heats_of_all_shards_come_together(split: Split, tmp_path: Path):
    for number in range(2):
        evaluate(Heats(), split, out=tmp_path, shard=(number, 2), settings=Settings(save_heat=True))
    merge(tmp_path, split=split)
    assert len(list((tmp_path / "heats").iterdir())) == len(split.images)


def test_waiting_ends_with_the_last_shard_and_tells_how_many_are_there(tmp_path: Path):
    message = []

    def one_more(ready: int) -> None:
        message.append(ready)
        if ready < 3:
            jsonlines.replace(tmp_path / "shards" / f"{ready}-of-3" / "summary.json", "{}")

    wait_for_shards(tmp_path, 3, one_more, 0.001)
    assert message == [0, 1, 2, 3]


def test_a_shard_that_is_about_to_be_overwritten_is_waited_for(tmp_path: Path):
    shard = tmp_path / "shards" / "0-of-1"
    jsonlines.replace(shard / "summary.json", "{}")
    jsonlines.replace(shard / "header.json", json.dumps({"provenance": [{"started": "2026-01-01T00:00:00Z"}]}))
    message = []

    def anew(ready: int) -> None:
        message.append(ready)
        header = {"provenance": [{"started": "2026-01-02T00:00:01Z"}]}
        jsonlines.replace(shard / "header.json", json.dumps(header))

    wait_for_shards(tmp_path, 1, anew, 0.001, begun_after="2026-01-02T00:00:00Z")
    assert message == [0, 1]


def test_waiting_ends_when_nothing_more_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "shards" / "0-of-2"
    folder.mkdir(parents=True)
    looks = []
    slept = [0.0]
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(sys.modules["risbench.running.shards"], "time", clock)

    def grow(ready: int) -> None:
        looks.append(ready)
        (folder / "summary.json").write_text("{}")

    result = r"1 of 2 shards are not finished and have written nothing for 60 seconds .*`risbench merge"
    with pytest.raises(RisbenchError, match=result):
        wait_for_shards(tmp_path, 2, grow, 10.0, patience=60.0)
    assert looks == [0, 1]
    assert sum(slept) == 70


def test_under_torchrun_every_rank_takes_its_shard_and_the_first_merges(tmp_path: Path):
    root = write_small(tmp_path / "data")
    words = ["run", "--method", "random_point", "--split", "refcoco_val", "--data-root", str(root), "--out", "run"]

    def start(rank: int | None, *more: str) -> subprocess.Popen[str]:
        ranks = {} if rank is None else {"TORCHELASTIC_RUN_ID": "x", "RANK": str(rank), "LOCAL_RANK": str(rank)}
        return subprocess.Popen(
            [sys.executable, "-c", _MAIN, *words, "--json", *more],
            cwd=tmp_path,
            env={
                **os.environ,
                **ranks,
                "WORLD_SIZE": "2" if ranks else "1",
                "PYTHONPATH": str(Path(risbench.__file__).parents[1]),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with start(0) as first, start(1) as second:
        message, result = first.communicate(timeout=GUARD)
        assert first.returncode == 0, result
        assert second.communicate(timeout=GUARD)[0] == ""
        assert second.returncode == 0
    assert "2 of 2 shards are finished" in result
    with start(1, "--shard", "0/2") as refused:
        assert "every rank takes its own shard already" in refused.communicate(timeout=GUARD)[1]
    run = evaluate("random_point", "refcoco_val", data_root=root, out=tmp_path / "alone")
    assert content_of(tmp_path / "run") == content_of(run.path)
    assert json.loads(message)["metrics"] == run.summary["metrics"]
    assert names_in(tmp_path / "run" / "shards") >= {"0-of-2/summary.json", "1-of-2/summary.json"}
