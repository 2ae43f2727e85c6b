"""Rules are the same by name, threshold and version: describing them in better words parts no run from another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.small import small_split
from helpers.whole import whole_split
from made_up.answers import Answers, every_form_for
from made_up.methods import Heats

from reports.tables import markdown
from risbench import Run, Settings, Split, UsageError, evaluate, merge, score
from risbench.leaderboard.board import entries_in, rankings_of
from risbench.leaderboard.submit import submit
from risbench.metrics.metric_names import parse_all
from risbench.metrics.rules.protocols import RULES, identity_of, text_of
from risbench.statistics.compare import compare

# How `lavt` was described before a heat of 480 x 480 was spoken of.
_OLD = (
    "truth where exactly one part covers, nearest to 480x480; heat bilinear to 480x480, > 0.5; masks nearest; no "
    "PointIt, PointM, Accbox"
)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"))


def _edit(folder: Path, **changes: Any) -> None:
    """Change the recorded rules in header and summary, as an older (or a later) version would have written them."""
    for name in ("header.json", "summary.json"):
        if (folder / name).exists():
            found = json.loads((folder / name).read_text())
            found["rules"].update(changes)
            (folder / name).write_text(json.dumps(found))


def test_an_old_run_is_loaded_compared_tabled_and_scored_again(split: Split, tmp_path: Path):
    new = evaluate(Heats(), split, rules="lavt", out=tmp_path / "new", settings=Settings(save_heat=True))
    old = evaluate(Heats(), split, rules="lavt", out=tmp_path / "old", name="old", settings=Settings(save_heat=True))
    _edit(old.path, text=_OLD)
    old = Run.load(old.path)
    assert compare([old, new], slices=False).overall
    table = markdown.render([old, new]) or ""
    assert table.count("Rules lavt") == 1
    assert "as it is" in table
    again, other = (score(run.path, split, rules="lavt", out=tmp_path / f"again {run.path.name}") for run in (old, new))
    assert again.rows() == other.rows()


def test_an_old_run_is_resumed(split: Split, tmp_path: Path):
    first = evaluate(Heats(), split, rules="lavt", out=tmp_path / "run")
    rows = first.rows()
    _edit(first.path, text=_OLD)
    lines = (first.path / "rows.jsonl").read_text().splitlines(keepends=True)
    (first.path / "rows.jsonl").write_text("".join(lines[:3]))
    (first.path / "summary.json").unlink()
    again = evaluate(Heats(), split, rules="lavt", out=tmp_path / "run")
    assert [row.iou for row in again.rows()] == [row.iou for row in rows]
    assert again.header["rules"]["text"] == RULES["lavt"]
    with pytest.raises(UsageError, match=r"its rules\.threshold is null, this command's is 0\.3"):
        evaluate(Heats(), split, rules="lavt", threshold=0.3, out=tmp_path / "run")


def test_shards_of_which_one_is_old_are_merged(split: Split, tmp_path: Path):
    for number in range(2):
        evaluate(Heats(), split, rules="lavt", out=tmp_path / "run", shard=(number, 2))
    whole = shutil.copytree(tmp_path / "run", tmp_path / "whole")
    _edit(tmp_path / "run" / "shards" / "0-of-2", text=_OLD)
    assert merge(tmp_path / "run", split=split).summary["metrics"] == merge(whole, split=split).summary["metrics"]
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "run" / "shards", other / "shards")
    _edit(other / "shards" / "0-of-2", version=2)
    with pytest.raises(UsageError, match="their rules differ"):
        merge(other, split=split)


def test_an_old_run_is_submitted_and_ranked_with_new_ones(tmp_path: Path):
    whole = whole_split(tmp_path / "data")
    for name in ("old", "new"):
        run = evaluate(Answers(every_form_for(whole)), whole, rules="lavt", name=name, out=tmp_path / name)
        if name == "old":
            _edit(run.path, text=_OLD)
        submit(run.path, tmp_path / "board")
    entries = entries_in(tmp_path / "board")
    assert {entry["measured"]["rules"]["text"] for entry in entries} == {RULES["lavt"]}
    entries[0]["measured"]["rules"]["text"] = _OLD  # as an entry of before
    (ranking,) = rankings_of(entries, parse_all("mIoU"))
    assert len(ranking.places) == 2


def test_another_version_is_another_protocol(split: Split, tmp_path: Path):
    one = evaluate(Heats(), split, rules="lavt", out=tmp_path / "one")
    other = evaluate(Heats(), split, rules="lavt", out=tmp_path / "two")
    _edit(other.path, version=2, text="something else")
    with pytest.raises(UsageError, match="different versions of the rules lavt"):
        compare([one, Run.load(other.path)], slices=False)
    with pytest.raises(UsageError, match=r"its rules\.version is 2, this command's is null"):
        evaluate(Heats(), split, rules="lavt", out=tmp_path / "two")
    assert text_of(Run.load(other.path).header["rules"]) == "something else"


def test_a_record_without_a_version_is_of_the_first():
    record = {"name": "tris", "text": "any", "threshold": None}
    assert identity_of(record) == identity_of({**record, "version": 1, "text": "other"})
    assert text_of(record) == RULES["tris"]
