"""Only a whole run whose every row is what its masks and heats give comes onto the board."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.whole import whole_split
from made_up.answers import Answers, every_form_for, masks_for

from risbench import Prediction, RisbenchError, Run, Settings, Split, UsageError, evaluate, score
from risbench.leaderboard.entry import entry_warnings, read
from risbench.leaderboard.submit import submit
from risbench.statistics.ratios import METHOD


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return whole_split(tmp_path / "data")


@pytest.fixture
def run(split: Split, tmp_path: Path) -> Run:
    prepared = every_form_for(split)
    return evaluate(
        Answers(prepared), split, name="every form", out=tmp_path / "run", settings=Settings(save_heat=True)
    )


def edited(run: Run, file: str, change: Callable[[str], str]) -> Run:
    path = run.path / file
    text = path.read_text()
    path.write_text(change(text))
    assert path.read_text() != text
    return Run.load(run.path)


def of_row(key: str, change: Callable[[object], object]) -> Callable[[str], str]:
    """Changes one number in the first row whose prediction has it."""

    def changed(text: str) -> str:
        lines = [json.loads(line) for line in text.splitlines()]
        line = next(line for line in lines if line[key] is not None)
        line[key] = change(line[key])
        return "".join(json.dumps(line) + "\n" for line in lines)

    return changed


@pytest.mark.parametrize("rules", ["tris", "clean", "lavt"])
def test_a_whole_run_gets_its_entry(split: Split, tmp_path: Path, rules: str):
    answers = Answers(every_form_for(split))
    run = evaluate(
        answers, split, rules=rules, name="every form", out=tmp_path / "r", settings=Settings(save_heat=True)
    )
    path = submit(run, tmp_path / "board")
    assert path == tmp_path / "board" / "referit_val" / "every_form.json"
    entry = read(path)
    assert entry["measured"]["metrics"] == run.summary["metrics"]
    assert entry["measured"]["hardware"] == run.header["provenance"][0]["machine"]
    assert entry["measured"]["rules"] == run.header["rules"]
    # The same again changes nothing.
    before = path.read_bytes()
    assert submit(run, tmp_path / "board").read_bytes() == before


def test_a_rescored_file_of_masks_can_be_submitted(split: Split, run: Run, tmp_path: Path):
    again = score(run.path / "masks.jsonl", split, out=tmp_path / "again")
    assert submit(again, tmp_path / "board").name == "masks.json"


@pytest.mark.parametrize(
    ("file", "change", "what"),
    [
        ("rows.jsonl", of_row("intersection", lambda value: value - 1 if value else value + 1), "says intersection"),
        ("rows.jsonl", of_row("union", lambda value: value + 1), "says union"),
        ("rows.jsonl", of_row("hit_mask", lambda value: not value), "says hit_mask"),
        ("rows.jsonl", of_row("hit_box", lambda value: not value), "says hit_box"),
        ("rows.jsonl", of_row("box_iou", lambda value: value / 2 + 0.1), "says box_iou"),
        ("rows.jsonl", lambda text: text.partition("\n")[2], "lines, the summary counts"),
        ("rows.jsonl", lambda text: text + text.partition("\n")[0] + "\n", "lines, the summary counts"),
        ("rows.jsonl", lambda text: text.replace("referit_val/", "referit_val/9", 1), "lacks referit_val/"),
        ("masks.jsonl", lambda text: text.partition("\n")[2], "no mask for referit_val/"),
        ("masks.jsonl", lambda text: text + text.partition("\n")[0] + "\n", "is there twice"),
        (
            "summary.json",
            lambda text: text.replace('"value": 0.', '"value": 0.9', 1),
            "for mIoU, its summary",
        ),
        ("header.json", lambda text: text.replace('"sha256": "', '"sha256": "0', 1), "input hashes"),
        (
            "header.json",
            lambda text: text.replace('"threshold"', '"version": 2, "threshold"', 1),
            "its rules are not this version's",
        ),
        ("header.json", lambda text: text.replace('"limit": null', '"limit": 2'), "it was limited"),
        ("summary.json", lambda text: text.replace('"partial": false', '"partial": true'), "it is partial"),
        ("summary.json", lambda text: text.replace('"missing": 0', '"missing": 1'), "1 expression has no prediction"),
    ],
)
def test_what_was_changed_by_hand_is_found(run: Run, tmp_path: Path, file: str, change: Callable, what: str):
    with pytest.raises(RisbenchError, match=what):
        submit(edited(run, file, change), tmp_path / "board")
    assert not (tmp_path / "board").exists()


def of_summary(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    """Changes the summary as JSON."""

    def changed(text: str) -> str:
        summary = json.loads(text)
        change(summary)
        return json.dumps(summary)

    return changed


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda held: held.pop("intervals"), "OLD: the intervals of run"),
        (lambda held: held.update(intervals="bootstrap over images"), "OLD: the intervals of run"),
        (lambda held: held.update(intervals=None), "OLD: the intervals of run|intervals is null"),
        (lambda held: held["metrics"]["mIoU"].update(low=held["metrics"]["mIoU"]["low"] + 0.001), "for mIoU"),
        (lambda held: held["metrics"]["oIoU"].update(high=held["metrics"]["oIoU"]["high"] - 0.001), "for oIoU"),
        (lambda held: held["metrics"]["P@0.5"].update(low=None, high=None), "for P@0.5"),
        (lambda held: held["metrics"]["Accbox"].update(value=held["metrics"]["Accbox"]["low"]), "for Accbox"),
        (lambda held: held["metrics"]["PointM"].update(count=held["metrics"]["PointM"]["count"] - 1), "for PointM"),
        (lambda held: held["metrics"].pop("P@0.9"), "lacks P@0.9"),
        (lambda held: held["metrics"].update({"best": held["metrics"]["mIoU"]}), "which is not a metric"),
        (lambda held: held.update(count=held["count"] - 1), "the summary counts"),
        (lambda held: held.update(method="another"), "the method in the summary of run differs from its header"),
    ],
)
def test_a_summary_of_old_intervals_or_changed_by_hand_never_comes_onto_the_board(
    run: Run, tmp_path: Path, change: Callable[[dict[str, Any]], object], what: str
):
    with pytest.raises(RisbenchError, match=what):
        submit(edited(run, "summary.json", of_summary(change)), tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_what_was_refused_can_be_scored_again_and_entered(run: Run, split: Split, tmp_path: Path):
    old = edited(run, "summary.json", of_summary(lambda held: held.pop("intervals")))
    with pytest.raises(RisbenchError, match="score it again"):
        submit(old, tmp_path / "board")
    entry = read(submit(score(old.path, split, out=tmp_path / "again"), tmp_path / "board"))
    assert entry["measured"]["intervals"] == METHOD
    assert entry_warnings(entry) == []


def test_a_mask_that_its_heat_does_not_give_is_found(split: Split, run: Run, tmp_path: Path):
    # Masks and rows agree with each other, and not with the heats they are said to come from.
    other = evaluate(Answers({**every_form_for(split), **masks_for(split, 5)}), split, out=tmp_path / "other")
    lines = {json.loads(line)["id"]: json.loads(line) for line in (other.path / "masks.jsonl").read_text().splitlines()}
    first = next(json.loads(line) for line in (run.path / "masks.jsonl").read_text().splitlines() if '"cut"' in line)
    first["segmentation"] = lines[first["id"]]["segmentation"]
    masks = [json.loads(line) for line in (run.path / "masks.jsonl").read_text().splitlines()]
    masks = [first if line["id"] == first["id"] else line for line in masks]
    (run.path / "masks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in masks))
    rows = {json.loads(line)["id"]: line for line in (run.path / "rows.jsonl").read_text().splitlines()}
    swapped = json.loads(rows[first["id"]])
    with pytest.raises(RisbenchError, match=f"{first['id']} says"):
        submit(run, tmp_path / "board")
    from risbench.metrics.rules.protocols import Rules

    sample = split.sample(first["id"])
    from risbench.masks import decode

    point = tuple(first["point"]) if "point" in first else None
    boxes = first.get("boxes")
    scores = (
        Rules("tris").judge(sample, Prediction(mask=decode(first["segmentation"]), point=point, boxes=boxes)).scores
    )
    swapped |= scores._asdict()
    rows[first["id"]] = json.dumps(swapped)
    (run.path / "rows.jsonl").write_text("".join(line + "\n" for line in rows.values()))
    with pytest.raises(RisbenchError, match="its heat gives"):
        submit(run, tmp_path / "board")


def test_partial_runs_and_shards_are_refused(split: Split, tmp_path: Path):
    answers = Answers(masks_for(split))
    limited = evaluate(answers, split, out=tmp_path / "limited", limit=2)
    with pytest.raises(RisbenchError, match="it is partial"):
        submit(limited, tmp_path / "board")
    shard = evaluate(answers, split, out=tmp_path / "sharded", shard=(0, 2))
    with pytest.raises(RisbenchError, match="cannot be entered"):
        submit(shard, tmp_path / "board")


def test_another_run_of_a_name_is_not_overwritten_unasked(split: Split, run: Run, tmp_path: Path):
    board = tmp_path / "board"
    submit(run, board)
    other = evaluate(Answers(masks_for(split)), split, name="every form", out=tmp_path / "other")
    with pytest.raises(UsageError, match="--replace it, or --name"):
        submit(other, board)
    assert submit(other, board, name="every form, masks").name == "every_form_masks.json"
    submit(other, board, replace=True)
    assert read(board / "referit_val" / "every_form.json")["measured"]["metrics"] == other.summary["metrics"]


def test_a_control_is_named_as_one(split: Split, tmp_path: Path):
    run = evaluate(Answers(masks_for(split)), split, name="m", out=tmp_path / "c", texts="empty")
    assert submit(run, tmp_path / "board").name == "m+empty-texts.json"
