"""A run on another truth says so everywhere, and is never taken for, continued as, or mixed with another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.annotations import code_of
from helpers.commands import Ask
from helpers.small import write_small
from helpers.whole import whole_split
from made_up.methods import Heats, Masks

from reports import gallery, grid, rows
from reports.tables import as_json, markdown
from risbench import (
    DataError,
    RisbenchError,
    Run,
    Settings,
    Split,
    UsageError,
    evaluate,
    load_split,
    merge,
    score,
)
from risbench.leaderboard.submit import submit
from risbench.masks import union_of
from risbench.scoring.sweep import sweep
from risbench.statistics.compare import compare


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return load_split("refcoco_val", write_small(tmp_path / "data", 4))


def write_truth(split: Split, path: Path, refs: int | None = None, shift: int = 2) -> Path:
    """Every object's mask moved to the right, of the first refs or of all."""
    moved = {
        str(sample.ref_id): code_of(np.roll(union_of(sample.parts, sample.size), shift, axis=1)) for sample in split
    }
    path.write_text(json.dumps({"ref_id": dict(list(moved.items())[:refs])}))
    return path


@pytest.fixture
def truth(split: Split, tmp_path: Path) -> Path:
    return write_truth(split, tmp_path / "moved.json")


def overlaps(run: Run) -> list[tuple[int, int]]:
    return [(row.intersection, row.union) for row in run.rows()]


def test_scores_are_those_against_the_new_masks(split: Split, truth: Path, tmp_path: Path):
    other = split.with_truth(truth)
    run = evaluate(Masks(), other, out=tmp_path / "run", rules="clean")
    predicted = {name: line["segmentation"] for name, line in run.masks()}
    for row, sample in zip(run.rows(), other, strict=True):
        mask, new = union_of([predicted[sample.id]], sample.size), union_of(sample.parts, sample.size)
        assert (row.intersection, row.union) == ((mask & new).sum(), (mask | new).sum())
    assert overlaps(run) != overlaps(evaluate(Masks(), split, out=tmp_path / "plain", rules="clean"))


def test_header_and_summary_say_what_was_replaced(split: Split, tmp_path: Path):
    truth = write_truth(split, tmp_path / "some.json", refs=3)
    run = evaluate(Masks(), split.with_truth(truth), out=tmp_path / "run")
    result = run.header["truth"]
    assert (result["file"], result["of"], result["only"]) == ("some.json", len(split), False)
    assert 0 < result["replaces"] < len(split)
    assert len(result["sha256"]) == 64
    assert run.summary["truth"] == result
    assert run.header["provenance"][0]["truth"] == str(truth)
    plain = evaluate(Masks(), split, out=tmp_path / "plain")
    assert plain.header["truth"] is None
    assert "truth" not in plain.summary
    assert plain.header["split"] == run.header["split"]


def test_a_run_is_not_continued_on_another_truth(split: Split, truth: Path, tmp_path: Path):
    evaluate(Masks(), split, out=tmp_path / "run")
    with pytest.raises(UsageError, match="holds another run: its truth is null, this command's is"):
        evaluate(Masks(), split.with_truth(truth), out=tmp_path / "run")
    evaluate(Masks(), split.with_truth(truth), out=tmp_path / "moved")
    with pytest.raises(UsageError, match=r"its truth\.sha256 is"):
        evaluate(Masks(), split.with_truth(write_truth(split, truth, shift=3)), out=tmp_path / "moved")
    with pytest.raises(UsageError, match="its truth is"):
        evaluate(Masks(), split, out=tmp_path / "moved")


def test_an_older_header_without_the_key_is_continued_as_annotated(split: Split, truth: Path, tmp_path: Path):
    run = evaluate(Masks(), split, out=tmp_path / "run")
    header = {key: value for key, value in run.header.items() if key != "truth"}
    (run.path / "header.json").write_text(json.dumps(header))
    evaluate(Masks(), split, out=run.path)
    with pytest.raises(UsageError, match="its truth is null"):
        evaluate(Masks(), split.with_truth(truth), out=run.path)


def test_shards_merge_on_their_truth_and_on_no_other(split: Split, truth: Path, tmp_path: Path):
    other = split.with_truth(truth)
    whole = evaluate(Masks(), other, out=tmp_path / "whole")
    for number in range(2):
        evaluate(Masks(), other, out=tmp_path / "run", shard=(number, 2))
    shutil.copytree(tmp_path / "run", tmp_path / "lost")
    assert overlaps(merge(tmp_path / "run")) == overlaps(whole)
    assert Run.load(tmp_path / "run").header["truth"] == whole.header["truth"]
    with pytest.raises(RisbenchError, match="was run on another copy of"):
        merge(tmp_path / "lost", split=split)
    truth.write_text("[]")
    with pytest.raises(DataError, match=r"scored with the truth of moved\.json .* was changed: put it back"):
        merge(tmp_path / "lost")


def test_shards_of_different_truths_are_different_runs(split: Split, truth: Path, tmp_path: Path):
    evaluate(Masks(), split.with_truth(truth), out=tmp_path / "run", shard=(0, 2))
    with pytest.raises(UsageError, match="0-of-2 holds another run: its truth is"):  # before the work
        evaluate(Masks(), split, out=tmp_path / "run", shard=(1, 2))
    evaluate(Masks(), split, out=tmp_path / "run", shard=(1, 2), overwrite=True)
    with pytest.raises(UsageError, match="their truth differ"):
        merge(tmp_path / "run")


def test_the_board_takes_annotated_masks_only(tmp_path: Path):
    split = whole_split(tmp_path / "data")
    run = evaluate(Masks(), split.with_truth(write_truth(split, tmp_path / "moved.json")), out=tmp_path / "run")
    with pytest.raises(RisbenchError, match="scored on other masks than the annotated ones"):
        submit(run, tmp_path / "board")


def test_a_run_is_scored_again_on_another_truth_and_back(split: Split, truth: Path, tmp_path: Path):
    plain = evaluate(Masks(), split, out=tmp_path / "plain")
    moved = evaluate(Masks(), split.with_truth(truth), out=tmp_path / "moved")
    there = score(plain.path, split.with_truth(truth), out=tmp_path / "there")
    assert overlaps(there) == overlaps(moved)
    assert there.header["truth"] == moved.header["truth"]
    back = score(there.path, split, out=tmp_path / "back")
    assert overlaps(back) == overlaps(plain)
    assert back.header["truth"] is None


def test_only_scores_a_whole_file_of_predictions_on_the_named_part(split: Split, tmp_path: Path):
    some = split.with_truth(write_truth(split, tmp_path / "some.json", refs=3), only=True)
    plain = evaluate(Heats(), split, out=tmp_path / "plain", settings=Settings(save_heat=True))
    run = score(plain.path / "masks.jsonl", some, out=tmp_path / "run")
    assert [row.id for row in run.rows()] == list(some.ids)
    assert run.summary["partial"]
    assert run.header["truth"]["only"]
    assert run.header["split"] == plain.header["split"]
    found = sweep(plain.path, some, thresholds=[0.5])
    assert found.expressions == len(some) < len(split)
    # A name that no split has is still refused.
    (tmp_path / "odd.jsonl").write_text(
        (plain.path / "masks.jsonl").read_text().replace(split.ids[0], "refcoco_val/0/0")
    )
    with pytest.raises(DataError, match=r"does not have: 1 .refcoco_val/0/0"):
        score(tmp_path / "odd.jsonl", some, out=tmp_path / "odd", allow_missing=True)


def test_a_sweep_on_another_truth_says_so(split: Split, truth: Path, tmp_path: Path):
    run = evaluate(Heats(), split, out=tmp_path / "run", settings=Settings(save_heat=True))
    plain, moved = (sweep(run.path, one, thresholds=[0.1]) for one in (split, split.with_truth(truth)))
    assert plain.values != moved.values
    assert plain.record()["truth"] is None
    assert moved.record()["truth"]["file"] == "moved.json"


def test_no_column_holds_two_truths(split: Split, truth: Path, tmp_path: Path):
    plain = evaluate(Masks(), split, out=tmp_path / "plain")
    moved = evaluate(Masks(), split.with_truth(truth), out=tmp_path / "moved")
    message = r"different truths \(the annotated masks and moved\.json [0-9a-f]{8}\)"
    with pytest.raises(UsageError, match=message):
        markdown.render([plain, moved])
    with pytest.raises(UsageError, match=message):
        compare([plain, moved])
    mixed = markdown.render([plain, moved], metrics="mIoU", mixed=True) or ""
    assert r"MIXED on refcoco\_val: different truths" in mixed
    assert "Masks (truth moved.json" in mixed
    with pytest.raises(UsageError, match="one grid cannot hold both"):
        grid.render([plain, moved], out=tmp_path / "grid.png")


@pytest.mark.parametrize("odd", [5, {}, {"file": "a", "sha256": "b", "replaces": "3", "of": 4, "only": False}])
def test_a_header_with_an_odd_truth_is_refused(split: Split, tmp_path: Path, odd: Any):
    run = evaluate(Masks(), split, out=tmp_path / "run")
    (run.path / "header.json").write_text(json.dumps({**run.header, "truth": odd}))
    with pytest.raises(DataError, match=r"header\.json: its 'truth' is not what a run writes"):
        Run.load(run.path)


def test_a_truth_that_moved_is_found_in_the_data_root(split: Split, truth: Path, tmp_path: Path):
    runs = [evaluate(Masks(), split.with_truth(truth), out=tmp_path / name) for name in ("a", "b")]
    truth.rename(split.data_root / truth.name)
    assert compare(runs).slices
    page = tmp_path / "page.html"
    assert gallery.render(runs, out=page) is None
    assert "OTHER TRUTH" in page.read_text()


def test_every_table_says_it(split: Split, truth: Path, tmp_path: Path):
    runs = [evaluate(Masks(), split.with_truth(truth), out=tmp_path / name) for name in ("a", "b")]
    message = f"OTHER TRUTH: the masks of {len(split)} of {len(split)} expressions are those of moved.json"
    assert message in (markdown.render(runs) or "")
    record = json.loads(as_json.render(runs) or "")
    assert any(message in note["text"] for note in record["notes"])
    assert record["lines"][0]["runs"][0]["truth"]["file"] == "moved.json"
    assert ",moved.json " in (rows.render(runs) or "")
    assert compare(runs).record()["truth"]["file"] == "moved.json"


def test_truths_of_several_splits_stand_in_one_line(split: Split, truth: Path, tmp_path: Path):
    root = split.data_root
    shutil.copytree(root / "refer" / "refcoco", root / "refer" / "refcoco+")
    plus = load_split("refcoco+_val", root)
    moved = evaluate(Masks(), split.with_truth(truth), out=tmp_path / "one")
    other = evaluate(Masks(), plus.with_truth(write_truth(plus, tmp_path / "plus.json")), out=tmp_path / "two")
    record = json.loads(as_json.render([moved, other], metrics="mIoU") or "")
    assert [line["method"] for line in record["lines"]] == ["Masks"]
    result = "\n".join(note["text"] for note in record["notes"])
    assert "moved.json" in result
    assert "(refcoco+_val)" in result


def test_the_command_line_takes_it(split: Split, tmp_path: Path, ask: Ask):
    truth = write_truth(split, tmp_path / "some.json", refs=3)
    common: list[Any] = ["--split", "refcoco_val", "--data-root", split.data_root]
    run = [*common, "--method", "centre", "--out", "run"]
    result = ask("run", *run, "--truth", truth)
    assert result.code == 0, result.err
    assert "OTHER TRUTH" in result.out
    assert "truth: some.json gives the masks of" in result.err
    assert "keep their annotated masks" in result.err
    assert ask("run", *run).code == 2
    result = ask("score", "run", *common, "--truth", truth, "--truth-only", "--out", "part", "--json")
    assert json.loads(result.out)["truth"]["only"]
    assert "are left out" in result.err
    result = ask("score", "run", *common, "--truth", truth, "--truth-only", "--out", "part")
    assert "those with a mask in some.json" in result.out
    result = ask("score", "run", *common, "--out", "back", "--json")
    assert "run was scored with the truth of some.json; this uses the annotated masks" in result.err
    assert "truth" not in json.loads(result.out)
    result = ask("score", "run", *common, "--truth-only")
    assert (result.code, "--truth-only needs --truth FILE" in result.err) == (2, True)
    result = ask("run", *common, "--method", "centre", "--truth", "none.json")
    assert (result.code, "none.json: cannot be read" in result.err) == (1, True)
    assert ask("report", "run", "--as", "markdown").out.count("OTHER TRUTH") == 1
    assert ask("submit", "run", "--board", "board").code == 1
    assert "--truth FILE" in " ".join(ask("score", "--help").out.split())
