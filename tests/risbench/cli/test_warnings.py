"""Whoever prints a figure of masks that cover everything says so beside it; stdout JSON stays JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import Ask
from helpers.small import write_small
from PIL import Image

from risbench import load_split
from risbench.masks import union_of

_WORDS = "100 % of the masks cover the whole image: threshold 1e-9 of rules tris"


@pytest.fixture(autouse=True)
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The method `brightest`, whose heats lie between 0 and 1 and are nowhere 0."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "plugin"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_small(tmp_path / "data")


@pytest.fixture
def heats(root: Path, tmp_path: Path) -> Path:
    """Perfect heats of a sigmoid."""
    (tmp_path / "heats").mkdir()
    for sample in load_split("refcoco_val", root):
        truth = union_of(sample.parts, sample.size)
        np.save(tmp_path / "heats" / f"{sample.sent_id}.npy", np.where(truth, 0.98, 0.02).astype(np.float32))
    return tmp_path / "heats"


def _data(root: Path) -> tuple[str, ...]:
    return ("--split", "refcoco_val", "--data-root", str(root))


def test_score_and_every_table_say_it(ask: Ask, root: Path, heats: Path, tmp_path: Path):
    result = ask("score", heats, *_data(root), "--out", "run")
    assert f"warning: {_WORDS}" in result.out
    found = json.loads(ask("score", heats, *_data(root), "--out", "run", "--json").out)
    assert found["warnings"][0].startswith(_WORDS)
    assert "warnings" not in json.loads((tmp_path / "run" / "summary.json").read_text())
    assert f"CAUTION: {_WORDS}" in ask("report", "run", "--as", "markdown").out
    assert "CAUTION: 100 \\% of the masks cover the whole image" in ask("report", "run", "--as", "latex").out
    table = json.loads(ask("report", "run", "--as", "json").out)
    assert table["lines"][0]["runs"][0]["warnings"][0].startswith(_WORDS)
    assert any(_WORDS in note["text"] for note in table["notes"])
    (line,) = csv.DictReader(io.StringIO(ask("report", "run", "--as", "csv").out))
    assert line["warnings"].startswith(_WORDS)
    assert ask("report", "run", "--as", "html", "--out", "page.html", "--data-root", root).code == 0
    assert "100 % of the masks cover the whole image" in (tmp_path / "page.html").read_text()


def test_what_is_well_gets_no_word_and_no_column(ask: Ask, root: Path, heats: Path):
    result = ask("score", heats, *_data(root), "--rules", "clean", "--out", "run")
    assert "warning" not in result.out + result.err
    assert "warnings" not in json.loads(
        ask("score", heats, *_data(root), "--rules", "clean", "--out", "b", "--json").out
    )
    for kind in ("markdown", "latex", "csv", "json"):
        text = ask("report", "run", "--as", kind).out
        assert "CAUTION" not in text
        assert "warnings" not in text


def test_compare_says_of_which_run(ask: Ask, root: Path, heats: Path, tmp_path: Path):
    (tmp_path / "card.toml").write_text('name = "ours"\n')
    ask("score", heats, *_data(root), "--out", "one", "--card", "card.toml")
    ask("run", "--method", "centre", *_data(root), "--out", "two")
    result = ask("compare", "one", "two", "--data-root", root)
    assert result.code == 0, result.err
    assert f"warning: ours: {_WORDS}" in result.out
    found = json.loads(ask("compare", "one", "two", "--data-root", root, "--json").out)
    assert found["runs"][0]["warnings"][0].startswith(_WORDS)
    assert "warnings" not in found["runs"][1]


def test_run_with_a_plug_in_says_it_and_a_floor_that_answers_everything_does_not(ask: Ask, root: Path):
    result = ask("run", "--method", "brightest", *_data(root), "--out", "run")
    assert f"warning: {_WORDS}" in result.out
    result = ask("run", "--method", "full", *_data(root), "--out", "full")
    assert result.code == 0
    assert "warning" not in result.out
    assert "CAUTION" not in ask("report", "full").out


def test_check_passes_and_says_it(ask: Ask, root: Path):
    result = ask("check", "brightest", *_data(root))
    assert result.code == 0
    assert f"warning: {_WORDS}" in result.out
    found = json.loads(ask("check", "brightest", *_data(root), "--json").out)
    assert next(item["caution"] for item in found if item["caution"]).startswith(_WORDS)
    assert all(item["holds"] for item in found)
    assert "warning" not in ask("check", "full", *_data(root)).out


def test_predict_says_it_of_one_image(ask: Ask, tmp_path: Path):
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / "a.png")
    result = ask("predict", "--method", "brightest", "a.png", "the thing")
    assert f"warning: {_WORDS}" in result.err
    assert "the thing: 100.0 % of the image" in result.out
    found = json.loads(ask("predict", "--method", "brightest", "a.png", "the thing", "--json").out)
    assert found["warnings"][0].startswith(_WORDS)
    result = ask("predict", "--method", "brightest", "--rules", "clean", "--threshold", "0.5", "a.png", "the thing")
    assert "100 % of the masks are empty: threshold 0.5, which was chosen" in result.err
    result = ask("predict", "--method", "full", "a.png", "the thing")
    assert "warning" not in result.out + result.err
