"""The gallery's page: its data, and that nothing in the data is taken for markup."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.annotations import refer_content, sentence, write_refer

from reports import gallery
from risbench import DataError, MaskError, UsageError, load_split, score
from risbench.errors import DataWarning
from risbench.masks import decode, encode, union_of
from risbench.statistics.failures import OUTCOMES, failures_of

NASTY = [
    '</script><script>alert("x")</script>',
    "a & b < c > d <!--",
    "مرحبا بالعالم",
    "long " * 100,
    "\\input{x} 100 % $a_b$",
]


class Blocks(HTMLParser):
    """Reads a page as a browser would: JSON blocks by id, and the tags it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: str | None = None

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") if dict(attrs).get("type") == "application/json" else None

    def handle_data(self, data):
        if self._open:
            self.blocks[self._open] = self.blocks.get(self._open, "") + data

    def handle_endtag(self, tag):
        self._open = None


def parsed(path) -> tuple[dict, list[dict], list]:
    reader = Blocks()
    reader.feed(path.read_text(encoding="utf-8"))
    blocks = {name: json.loads(text) for name, text in reader.blocks.items()}
    overview = blocks.pop("overview")
    return overview, [blocks[f"image-{number}"] for number in range(len(blocks))], reader.tags


@pytest.fixture(scope="module")
def page(drawn_runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "gallery.html"
    gallery.render(drawn_runs, out=out)
    return out


def test_the_page_holds_every_expression_with_the_scores_of_its_row(page, drawn_runs):
    overview, _, _ = parsed(page)
    rows = [run.rows() for run in drawn_runs]
    assert [sample["id"] for sample in overview["samples"]] == [row.id for row in rows[0]]
    for place, sample in enumerate(overview["samples"]):
        expected = [[of[place].intersection, of[place].union, of[place].hit_box, of[place].hit_mask] for of in rows]
        assert [score[:4] for score in sample["scores"]] == expected


def test_the_page_has_the_outcome_of_every_mask_and_its_definition(page, drawn_runs):
    overview, _, _ = parsed(page)
    split = load_split("shapes_val")
    rows = [{row.id: row for row in run.rows()} for run in drawn_runs]
    for turn, outcomes in enumerate(failures_of(split, drawn_runs, rows).outcomes):
        assert {sample["id"]: sample["scores"][turn][6] for sample in overview["samples"]} == outcomes
    assert overview["outcomes"] == dict(OUTCOMES)
    assert any(note.startswith("Outcomes: right: IoU is at least 50 %") for note in overview["notes"])


def test_masks_and_truths_in_the_page_are_those_of_the_run(page, drawn_runs):
    overview, blocks, _ = parsed(page)
    split = load_split("shapes_val")
    masks = [dict(run.masks()) for run in drawn_runs]
    for place, line in enumerate(overview["samples"]):
        sample, block = split.sample(line["id"]), blocks[line["image"]]
        mine = block["samples"][str(place)]
        truth = block["truths"][mine["truth"]]
        real = union_of(sample.parts, sample.size)
        assert np.array_equal(decode({"size": [*sample.size], "counts": truth["counts"]}), real)
        assert line["area"] == truth["area"] == real.sum()
        for answer, of in zip(mine["answers"], masks, strict=True):
            assert answer["counts"] == of[sample.id]["segmentation"]["counts"]


def test_changing_one_number_in_a_run_changes_the_page_there_and_nowhere_else(page, drawn_runs, changed, tmp_path):
    row = drawn_runs[1].rows()[7]
    other = changed(drawn_runs[1], row=7, intersection=row.intersection + 1)
    gallery.render([drawn_runs[0], other, drawn_runs[2]], out=tmp_path / "other.html")
    (before, *_), (after, *_) = parsed(page), parsed(tmp_path / "other.html")
    differing = [one["id"] for one, two in zip(before["samples"], after["samples"], strict=True) if one != two]
    assert differing == [row.id]


def test_the_same_runs_make_the_same_bytes(page, drawn_runs, tmp_path):
    gallery.render(drawn_runs, out=tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_saved_heats_are_in_the_page_and_only_theirs(page):
    overview, blocks, _ = parsed(page)
    assert [run["heats"] for run in overview["runs"]] == [True, False, False]
    answers = [answer for block in blocks for sample in block["samples"].values() for answer in sample["answers"]]
    assert sum("heat" in answer for answer in answers) == len(answers) / 3
    heat = answers[0]["heat"]
    assert max(heat["size"]) == 32
    assert heat["low"] < heat["high"]


def test_rules_split_partial_and_drawn_are_said(page, drawn_runs):
    notes = "\n".join(parsed(page)[0]["notes"])
    for result in (
        "Split shapes_val",
        "Rules tris: truth where",
        "PARTIAL: every run has",
        "Drawn scenes",
        "looks at more",
    ):
        assert result in notes


def test_the_page_asks_for_nothing_and_runs_one_script(page):
    text = page.read_text(encoding="utf-8")
    _, _, tags = parsed(page)
    scripts = [attrs for tag, attrs in tags if tag == "script" and attrs.get("type") != "application/json"]
    assert scripts == [{}]
    assert not [attrs for _, attrs in tags if "src" in attrs or "href" in attrs]
    assert re.findall(r"https?:", text) == []
    policy = next(attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_thumbnails_beside_the_page_are_files_of_capped_size(drawn_runs, tmp_path):
    from PIL import Image

    gallery.render(drawn_runs, out=tmp_path / "page.html", thumbnails="beside")
    overview, blocks, _ = parsed(tmp_path / "page.html")
    for (_, height, width), block in zip(overview["images"], blocks, strict=True):
        with Image.open(tmp_path / block["picture"]) as picture:
            assert max(picture.size) <= 320
            assert abs(picture.width / picture.height - width / height) < 0.02
    assert any("page_files" in note for note in overview["notes"])


@pytest.fixture
def nasty(tmp_path):
    """A run on a data root without images, whose texts no markup language likes."""
    instances, refs = refer_content()
    refs[1]["sentences"] = [sentence(100 + number, text) for number, text in enumerate(NASTY)]
    split = load_split("refcoco_val", write_refer(tmp_path / "data", instances, refs))
    lines = [{"id": one.id, "segmentation": encode(union_of(one.parts, one.size))} for one in split]
    (tmp_path / "masks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return score(tmp_path / "masks.jsonl", split, out=tmp_path / "run")


def test_nasty_texts_come_through_whole_and_as_data(nasty, tmp_path):
    gallery.render([nasty], out=tmp_path / "page.html")
    overview, _, tags = parsed(tmp_path / "page.html")
    assert {sample["text"] for sample in overview["samples"]} >= set(NASTY)
    assert len([tag for tag, attrs in tags if tag == "script" and "type" not in attrs]) == 1


def test_absent_images_are_said_with_the_place_looked_in(nasty, tmp_path):
    gallery.render([nasty], out=tmp_path / "page.html")
    overview, blocks, _ = parsed(tmp_path / "page.html")
    assert all(block["picture"] is None for block in blocks)
    assert any(f"looked in {tmp_path / 'data' / 'train2014'}" in note for note in overview["notes"])


def test_runs_that_share_a_part_show_that_part_and_say_so(drawn_runs, changed, tmp_path):
    lines = (drawn_runs[0].path / "rows.jsonl").read_text().splitlines(keepends=True)
    short = changed(drawn_runs[0])
    (short.path / "summary.json").write_text(json.dumps({**short.summary, "count": len(lines) - 2}))
    short = type(short).load(short.path)
    (short.path / "rows.jsonl").write_text("".join(lines[:-2]))
    masks = (short.path / "masks.jsonl").read_text().splitlines(keepends=True)
    (short.path / "masks.jsonl").write_text("".join(masks[:-2]))
    gallery.render([short, drawn_runs[1]], out=tmp_path / "page.html")
    overview = parsed(tmp_path / "page.html")[0]
    assert len(overview["samples"]) == len(lines) - 2
    assert "2 expressions that not every run has are left out." in overview["notes"]


def test_another_copy_of_the_data_is_refused(drawn_runs, changed, tmp_path):
    split = {**drawn_runs[0].header["split"], "sources": []}
    with pytest.raises(DataError, match="another copy"):
        gallery.render([changed(drawn_runs[0], header={"split": split})], out=tmp_path / "page.html")


def test_a_broken_mask_is_refused_by_name_and_leaves_no_page(drawn_runs, changed, tmp_path):
    run = changed(drawn_runs[0])
    masks = (run.path / "masks.jsonl").read_text().replace('"counts": "', '"counts": "~', 1)
    (run.path / "masks.jsonl").write_text(masks)
    with pytest.raises(MaskError, match="the mask of shapes_val/"):
        gallery.render([run], out=tmp_path / "out" / "page.html")
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(("out", "more"), [(None, {}), ("page.png", {}), ("page.html", {"thumbnails": "under"})])
def test_what_a_gallery_cannot_be_is_said(drawn_runs, tmp_path, out, more):
    with pytest.raises(UsageError, match=r"--out FILE\.html|--thumbnails under"):
        gallery.render(drawn_runs, out=tmp_path / out if out else None, **more)


def test_a_page_of_too_many_shows_whole_images_evenly_and_says_so(drawn_runs, tmp_path):
    whole, part = tmp_path / "whole.html", tmp_path / "part.html"
    total = len(drawn_runs[0].rows())
    gallery.render(drawn_runs, out=whole, expressions=total)
    with pytest.warns(
        DataWarning, match=rf"the page shows \d+ of {total} expressions, about 3 of 6 images spread evenly"
    ):
        gallery.render(drawn_runs, out=part, expressions=total // 2)
    (every, blocks, _), (some, few, _) = parsed(whole), parsed(part)
    images = [every["images"].index(one) for one in some["images"]]
    assert images == [0, 2, 5]
    wanted = [{**one, "image": images.index(one["image"])} for one in every["samples"] if one["image"] in images]
    assert some["samples"] == wanted
    assert [block["truths"] for block in few] == [blocks[place]["truths"] for place in images]
    assert [run["metrics"] for run in some["runs"]] == [run["metrics"] for run in every["runs"]]
    assert some["notes"][0].startswith("PART: the page shows")
    assert not any(note.startswith("PART:") for note in every["notes"])
