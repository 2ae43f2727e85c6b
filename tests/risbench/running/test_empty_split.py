"""A split without expressions gives no table of dashes: it is refused in one line, before a folder is made."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from helpers.small import small_split, write_small
from made_up.methods import Heats

from risbench import DataError, Settings, Split, evaluate, load_split, score
from risbench.datasets.audit.split_check import check_split
from risbench.methods.contract_check import check_method
from risbench.scoring.sweep import sweep

_EMPTIES = {
    "no refs": lambda refs: [],
    "refs of other splits": lambda refs: [{**ref, "split": "train"} for ref in refs],
    "refs without a sentence": lambda refs: [{**ref, "sentences": [], "sent_ids": []} for ref in refs],
}


@pytest.fixture(params=_EMPTIES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Split:
    root = write_small(tmp_path / "empty", 2)
    (file,) = root.rglob("refs(unc).p")
    file.write_bytes(pickle.dumps(_EMPTIES[request.param](pickle.loads(file.read_bytes())), protocol=2))
    return load_split("refcoco_val", root)


def test_a_split_without_expressions_is_refused_by_all_who_score(empty: Split, tmp_path: Path):
    good = small_split(tmp_path / "good", 2)
    run = evaluate(Heats(), good, out=tmp_path / "run", settings=Settings(save_heat=True))
    (tmp_path / "none.jsonl").write_text("")
    for call in (
        lambda: evaluate(Heats(), empty, out=tmp_path / "out"),
        lambda: evaluate(Heats(), empty, out=tmp_path / "out", limit=3),
        lambda: evaluate(Heats(), empty, out=tmp_path / "out", shard=(0, 2)),
        lambda: score(tmp_path / "none.jsonl", empty, out=tmp_path / "out"),
        lambda: score(run.path, empty, out=tmp_path / "out"),
        lambda: sweep(run.path, empty),
        lambda: check_method(Heats(), empty),
    ):
        with pytest.raises(DataError, match=r"refcoco_val has no expressions, so there is nothing .*refs"):
            call()
    assert not (tmp_path / "out").exists()


def test_the_command_line_refuses_it_with_exit_code_1(ask, empty: Split):
    root = ("--split", "refcoco_val", "--data-root", str(empty.data_root))
    for words in (("run", "--method", "centre", *root, "--out", "out"), ("check", "centre", *root)):
        done = ask(*words)
        assert (done.code, done.out) == (1, "")
        assert "risbench: refcoco_val has no expressions, so there is nothing to score" in done.err


def test_a_look_over_it_says_so(empty: Split):
    report = check_split("refcoco_val", empty.data_root)
    assert [problem.text for problem in report.problems if problem.kind == "expressions"] == [
        "there are none, so nothing can be run or scored"
    ]


def test_a_truth_that_leaves_nothing_over_is_refused(tmp_path: Path):
    split = small_split(tmp_path / "data", 2)
    (tmp_path / "truth.json").write_text("[]")
    with pytest.raises(DataError, match="replaces no mask of refcoco_val"):
        split.with_truth(tmp_path / "truth.json", only=True)
    # Only a part of the truth is inside the limit.
    last = list(split.by_image())[-1][0]
    entry = {"ref_id": last.ref_id, "segmentation": dict(last.parts[0])}
    (tmp_path / "truth.json").write_text(json.dumps([entry]))
    only = split.with_truth(tmp_path / "truth.json", only=True)
    assert evaluate(Heats(), only, out=tmp_path / "run", limit=1).summary["count"] == len(only)
