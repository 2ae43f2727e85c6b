"""Expressions of a split, printed and on a page; which splits are here."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import Ask

from risbench import load_split
from risbench.datasets.catalog import find
from risbench.datasets.text_search import positions_of
from risbench.datasets.where import state_of
from risbench.masks import union_of


def test_every_pattern_must_be_in_the_text_whatever_its_case():
    split = load_split("shapes_val")
    found = [split[place].text for place in positions_of(split, ["LEFTmost", r"\bpurple\b"])]
    by_hand = [sample.text for sample in split if "leftmost" in sample.text.lower() and "purple" in sample.text.split()]
    assert found == by_hand
    assert found
    assert positions_of(split, []) == list(range(len(split)))


def test_expressions_are_printed_with_their_ids(ask: Ask):
    result = ask("data", "show", "shapes_val", "--text", "leftmost", "--text", "purple", "--count", "2", "--json")
    first, second = json.loads(result.out)
    assert load_split("shapes_val").sample(first["id"]).text == first["text"]
    assert "the first 2 are shown (--count 0 shows all)" in result.err
    table = ask("data", "show", "shapes_val", "--id", first["id"], "--id", second["id"]).out
    assert first["id"] in table
    assert second["text"] in table


def test_what_is_wrong_is_one_line(ask: Ask):
    for words, message in (
        (("--text", "("), "not a regular expression"),
        (("--id", "shapes_val/1/1"), "has no sample"),
        (("--out", "page.txt"), "must end in .html"),
    ):
        result = ask("data", "show", "shapes_val", *words)
        assert (result.code, len(result.err.splitlines())) == (2, 1)
        assert message in result.err
    result = ask("data", "show", "shapes_val", "--text", "no such words")
    assert (result.code, result.out) == (0, "")


def test_the_page_shows_each_object_with_its_true_mask_and_its_texts(ask: Ask, tmp_path: Path):
    from PIL import Image

    result = ask("data", "show", "shapes_val", "--count", "3", "--out", "page.html")
    assert result.code == 0, result.err
    page = (tmp_path / "page.html").read_text()
    split = load_split("shapes_val")
    for place in range(3):
        assert split[place].id in page
        assert split[place].text in page
    first = split[0]
    picture = re.findall(r'src="data:image/png;base64,([^"]+)" alt="the true mask"', page)[0]
    alpha = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))[..., 3]
    truth = union_of(first.parts, first.size)
    assert alpha.shape == truth.shape  # small images keep their size
    assert (alpha[truth] > 0).all()
    assert (alpha[~truth] == 0).mean() > 0.9
    assert "<script" not in page


def test_texts_of_strangers_are_no_markup(tmp_path: Path):
    from dataclasses import replace

    from reports.gallery.expressions import write_expressions

    split = load_split("shapes_val")
    sample = replace(
        split[0], text="<img src=x onerror=1>\u202e", image_path=tmp_path / "absent.jpg", box=None, parts=()
    )
    write_expressions(split, [sample], tmp_path / "page.html", "one & only")
    page = (tmp_path / "page.html").read_text()
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "no true mask" in page
    assert "1 of 1 image are not there" in page


def test_a_split_is_here_partial_or_absent(tmp_path: Path, ask: Ask):
    entry = find("refcoco_val")
    assert state_of(entry, tmp_path) == "absent"
    folder = tmp_path / "refer" / "refcoco"
    folder.mkdir(parents=True)
    (folder / "instances.json").write_text("{}")  # which other splits have too
    assert state_of(entry, tmp_path) == "absent"
    (folder / "refs(unc).p").write_bytes(b"")
    assert state_of(entry, tmp_path) == "partial: no images"
    (folder / "instances.json").unlink()
    assert state_of(entry, tmp_path) == "partial: no instances.json"
    (folder / "instances.json").write_text("{}")
    (tmp_path / "train2014").mkdir()
    assert state_of(entry, tmp_path) == "partial: no images"  # the folder is empty
    (tmp_path / "train2014" / "one.jpg").write_bytes(b"")
    assert state_of(entry, tmp_path) == "here"
    listed = json.loads(ask("list", "splits", "--json", "--data-root", tmp_path).out)
    states = {entry["name"]: entry["state"] for entry in listed}
    assert states["refcoco_testA"] == "here"
    assert states["refcoco+_val"] == "absent"


def test_drawn_scenes_that_are_not_drawn_yet_are_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    load_split("shapes_val")
    assert state_of(find("shapes_val")) == "here"
    monkeypatch.setenv("RISBENCH_CACHE", str(tmp_path))
    assert state_of(find("shapes_val")) == "drawn at first use"
