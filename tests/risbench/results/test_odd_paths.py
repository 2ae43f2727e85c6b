"""Paths that are not valid text, do not exist or form a loop are kept, or refused in one line before the work."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from helpers.folders import content_of
from helpers.small import small_split
from made_up.methods import Heats

from reports.picture import given_or_written
from reports.tables import as_csv, as_json, latex, markdown
from risbench import RisbenchError, Run, Settings, Split, evaluate, load_split, merge, score
from risbench.io.jsonfile import read_record
from risbench.results import jsonlines
from risbench.scoring.sweep import sweep
from risbench.statistics.compare import compare

_ODD = os.fsdecode(b"odd\xff")
_NOT_TEXT = pytest.mark.skipif(sys.platform == "darwin", reason="file names of this system are text")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 3)


@_NOT_TEXT
def test_a_run_in_a_folder_whose_name_is_no_text_is_read_by_all_who_read_runs(tmp_path: Path):
    odd = tmp_path / _ODD
    split = small_split(odd / "data", 3)
    run = evaluate(Heats(), split, out=odd / "run", settings=Settings(save_heat=True))
    assert Run.load(odd / "run").header["data_root"] == str(odd / "data")
    assert load_split("refcoco_val", Run.load(odd / "run").header["data_root"]).ids == split.ids
    for file in (odd / "run").glob("*.json*"):
        file.read_bytes().decode("utf-8")
    method = Heats()
    evaluate(method, split, out=odd / "run", settings=Settings(save_heat=True))
    assert method.requests == []
    for number in range(2):
        evaluate(Heats(), split, out=odd / "cut", shard=(number, 2), settings=Settings(save_heat=True))
    assert content_of(merge(odd / "cut").path) == content_of(odd / "run")
    again = score(run.path, split, rules="clean", out=odd / "again")
    assert str(odd / "run") == again.header["provenance"][0]["predictions"]
    assert compare([run, Run.load(odd / "cut")]).overall
    assert sweep(odd / "run", split).expressions == len(split)
    for render in (markdown.render, latex.render, as_csv.render, as_json.render):
        given_or_written(render([run]) or "", odd / "table")
        (odd / "table").read_bytes().decode("utf-8")


@_NOT_TEXT
def test_predictions_with_a_name_that_is_no_text_are_scored_under_one_that_is(split: Split, tmp_path: Path):
    run = evaluate(Heats(), split, out=tmp_path / "run")
    brought = tmp_path / _ODD
    brought.mkdir()
    (brought / "masks.jsonl").write_bytes((run.path / "masks.jsonl").read_bytes())
    (brought / os.fsdecode(b"read\xfe.txt")).write_text("more")
    again = score(brought, split, out=tmp_path / "again")
    assert again.summary["method"] == r"odd\xff"
    assert again.summary["metrics"] == run.summary["metrics"]


def test_a_header_of_before_whose_path_was_no_text_is_read_again(tmp_path: Path):
    text = json.dumps({"data_root": _ODD}, ensure_ascii=False)
    (tmp_path / "old.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    jsonlines.replace(tmp_path / "new.json", text)
    assert read_record(tmp_path / "old.json") == read_record(tmp_path / "new.json") == {"data_root": _ODD}
    (tmp_path / "new.json").read_bytes().decode("utf-8")
    (tmp_path / "old.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(RisbenchError, match="not JSON"):
        read_record(tmp_path / "old.json")


def test_lines_with_half_a_character_are_read_back(tmp_path: Path):
    jsonlines.append(tmp_path / "lines", [json.dumps({"id": "half \ud83d"}, ensure_ascii=False)])
    assert [line for _, line in jsonlines.read(tmp_path / "lines")] == [{"id": "half \ud83d"}]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "file").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("loop", "a link that leads nowhere is in the way"),
        ("dangling", "a link that leads nowhere is in the way"),
        ("loop/run", "a link that leads nowhere is in the way"),
        ("dangling/run", "a link that leads nowhere is in the way"),
        ("file/run", "Not a directory"),
        ("file", "File exists"),
        ("n" * 300, "File name too long"),
        ("new/" + "n" * 300, "File name too long"),
    ],
)
def test_a_folder_that_cannot_be_is_named_with_the_reason(split: Split, odd: Path, name: str, reason: str):
    run = evaluate(Heats(), split, out=odd / "good")
    for call in (
        lambda: evaluate(Heats(), split, out=odd / name),
        lambda: evaluate(Heats(), split, out=odd / name, overwrite=True),
        lambda: score(run.path, split, rules="clean", out=odd / name),
    ):
        with pytest.raises(RisbenchError, match=f"cannot be made: {reason}") as raised:
            call()
        assert "\n" not in str(raised.value)


def test_the_root_of_the_file_system_is_no_run_folder(split: Split):
    with pytest.raises(RisbenchError, match="/: a run needs a folder of its own: give another --out"):
        evaluate(Heats(), split, out="/")


@pytest.mark.parametrize("name", ["loop", "dangling", "loop/run", "file", "file/run"])
def test_what_leads_nowhere_is_refused_in_one_line_by_every_command(ask, odd: Path, name: str):
    split = ("--split", "refcoco_val")
    run = ("run", "--method", "centre", *split)
    for words in (
        (*run, "--data-root", name),
        ("score", name, *split, "--data-root", "data"),
        ("sweep", name, *split, "--data-root", "data"),
        ("report", name),
        ("compare", name, name),
        ("merge", name),
        ("submit", name, "--board", "board"),
        ("leaderboard", "--board", name),
        ("weights", "show", name),
        ("predict", "--method", "centre", name, "text"),
    ):
        done = ask(*words)
        assert done.code in (1, 2), words
        assert done.err.count("risbench: ") == 1
        assert "Traceback" not in done.err
