"""Copies as users have them, imported and used by the commands that a new user types."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import copies
from helpers.annotations import write_referit_as_pickles
from helpers.commands import Ask

from risbench import load_split
from risbench.datasets.imports.copies import import_copy
from risbench.errors import DataError


@pytest.mark.parametrize(
    ("made", "split", "images", "expressions"),
    [
        (copies.refer_tool, "refcoco_val", 2, 6),
        (copies.refer_tool, "referit_test", 2, 5),
        (copies.lavt, "refcocog_test_u", 4, 5),
        (copies.tris, "refcoco+_testB", 2, 3),
        (copies.tris, "referit_test", 2, 5),
        (copies.zips, "refcoco_val", 2, 6),
        (copies.all_zips, "refcoco_testA", 1, 2),
        (copies.all_zips, "referit_test", 2, 5),
        (copies.multigrounding, "referit_test_5pct", 2, 3),
        (copies.jxu124, "refcoco_val", 2, 6),
        (copies.lmms, "refcoco_testA", 2, 6),
    ],
)
def test_a_copy_in_any_tree_is_at_a_scored_split_in_two_commands(
    ask: Ask, tmp_path: Path, made: Callable[[Path], Path], split: str, images: int, expressions: int
):
    made(tmp_path / "mine")
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 0, result.err
    assert f"{split}: " in result.out
    ran = ask("run", "--method", "full", "--split", split, "--data-root", "data", "--out", "run", "--json")
    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "run/header.json").read_text())["split"]["counts"]["images"] == images
    assert json.loads(ran.out)["count"] == expressions


def test_whoever_has_the_refer_zip_and_train2014_scores_a_file_of_masks_in_two_commands(ask: Ask, tmp_path: Path):
    copies.zips(tmp_path / "mine")
    whole = [{"sent_id": n, "segmentation": {"size": [40, 60], "counts": [0, 2400]}} for n in (5, 3, 0, 9, 10, 11)]
    (tmp_path / "masks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in whole))
    assert ask("data", "import", "--from", "mine", "--data-root", "data").code == 0
    result = ask("score", "masks.jsonl", "--split", "refcoco_val", "--data-root", "data", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["metrics"]["mIoU"]["count"] == 6
    assert json.loads(result.out)["metrics"]["mIoU"]["value"] > 0.05


def test_the_command_says_what_came_what_it_counts_what_is_missing_and_what_comes_next(ask: Ask, tmp_path: Path):
    copies.zips(tmp_path / "mine")
    (tmp_path / "mine/train2014/COCO_train2014_000000000002.jpg").unlink()
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    lines = result.out.splitlines()
    assert result.code == 0
    assert f"copied  refer/refcoco/instances.json  from {tmp_path}/mine/refcoco.zip:refcoco/instances.json" in lines
    assert "images  train2014: 3 linked" in lines
    message = next(line for line in lines if line.startswith("refcoco_val"))
    assert message.startswith("refcoco_val: partial, 2 images (expected 1,500), 4 refs (expected 3,811), ")
    assert message.endswith("; images present: 1")
    assert any("missing: 1 of 2 images in data/train2014; COCO 2014" in line for line in lines)
    assert result.err == (
        "warning: partial, so their figures are not comparable with published ones: refcoco_val, refcoco_testA, "
        "refcoco_testB\n"
    )
    assert lines[-1] == "next: risbench run --method centre --split refcoco_testA --data-root data"


def test_a_split_of_which_a_copy_has_no_expression_is_not_offered(ask: Ask, tmp_path: Path):
    copies.lmms(tmp_path / "mine")
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    lines = result.out.splitlines()
    assert "refcoco_val: not in this copy" in lines
    assert any("refs(unc).p has no expression of it; REFER annotations" in line for line in lines)
    assert lines[-1] == "next: risbench run --method centre --split refcoco_testA --data-root data"


def test_the_authors_own_pickles_are_imported(mini: Path, tmp_path: Path):
    report = import_copy(mini, tmp_path / "data", copy=True)
    ready = [state.name for state in report.splits if state.ready]
    assert ready
    assert not report.refused
    for name in ready:
        ours, theirs = load_split(name, tmp_path / "data"), load_split(name, mini)
        assert (ours.ids, [source.sha256 for source in ours.sources]) == (
            theirs.ids,
            [source.sha256 for source in theirs.sources],
        )


def test_its_json_has_the_same(ask: Ask, tmp_path: Path):
    copies.zips(tmp_path / "mine")
    result = ask("data", "import", "--from", "mine", "--data-root", "data", "--json")
    found = json.loads(result.out)
    assert [taken["how"] for taken in found["annotations"]] == ["copied", "copied"]
    assert found["images"] == {"train2014": {"linked": 4}}
    val = next(split for split in found["splits"] if split["split"] == "refcoco_val")
    assert val["ready"]
    assert val["partial"]
    assert val["counts"] == {"images": 2, "refs": 4, "expressions": 6}
    assert (val["images_present"], val["images_absent"], val["missing"]) == (2, 0, [])


def test_nothing_recognised_says_what_was_looked_for(ask: Ask, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("refcoco\n")
    (tmp_path / "mine/instances.json").write_text("{}")  # of whom?
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 1
    assert result.err.startswith("risbench: mine: nothing recognised; looked for refcoco/")
    assert "train2014.zip" in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "data").exists()
    gone = ask("data", "import", "--from", "gone")
    assert (gone.code, gone.err) == (
        1,
        "risbench: gone: no such file or folder; give the place of your copy with --from\n",
    )


@pytest.mark.parametrize("words", [(), ("--from", "a", "--as", "b"), ("my.json",), ("--as", "mine")])
def test_neither_from_nor_a_name_is_a_wrong_command(ask: Ask, tmp_path: Path, words: tuple[str, ...]):
    (tmp_path / "my.json").write_text("{}")
    result = ask("data", "import", *words)
    assert result.code == 2
    assert "--from DIR" in result.err


def test_half_of_a_data_set_is_imported_and_the_other_half_named(ask: Ask, tmp_path: Path):
    copies.lavt(tmp_path / "mine")
    (tmp_path / "mine/refer/data/refcocog/instances.json").unlink()
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 0
    assert (tmp_path / "data/refer/refcocog/refs(umd).p").is_file()
    missing = [line for line in result.out.splitlines() if "missing" in line]
    assert any("refcocog/instances.json: no such file" in line and "lichengunc/refer" in line for line in missing)
    # Once, not for each of the three splits that need it.
    assert sum("instances.json" in line and "umd" not in line for line in missing) == 1


def test_images_alone_are_imported_all_and_annotations_choose_later(tmp_path: Path):
    copies.all_zips(tmp_path / "mine")
    more = copies.coco_images(tmp_path / "other/train2014", (1, 2, 77))
    report = import_copy(tmp_path / "other", tmp_path / "data")
    assert report.images == {"train2014": {"linked": 3}}
    copies.zip_of(tmp_path / "mine/train2014.zip", more, "train2014/")
    (tmp_path / "only").mkdir()
    (tmp_path / "mine/refcoco.zip").rename(tmp_path / "only/refcoco.zip")
    (tmp_path / "mine/train2014.zip").rename(tmp_path / "only/train2014.zip")
    report = import_copy(tmp_path / "only", tmp_path / "fresh")
    assert report.images == {"train2014": {"copied": 2, "not needed": 1}}
    assert not (tmp_path / "fresh/train2014/COCO_train2014_000000000077.jpg").exists()


def test_one_archive_alone_is_enough(tmp_path: Path):
    copies.all_zips(tmp_path / "mine")
    for name in ("refclef.zip", "saiapr_tc-12.zip"):
        report = import_copy(tmp_path / "mine" / name, tmp_path / "data")
    assert {state.name for state in report.splits if state.ready} >= {"referit_test"}


def test_a_pickle_that_would_run_something_is_named_runs_nothing_and_is_taken_back(ask: Ask, tmp_path: Path):
    copies.lavt(tmp_path / "mine")
    evil = tmp_path / "mine/refer/data/refcocog/refs(umd).p"
    evil.write_bytes(copies.evil_refs(tmp_path / "mark"))
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert "refused, the pickle asks for" in result.err
    assert not (tmp_path / "mark").exists()
    assert not (tmp_path / "data/refer/refcocog/refs(umd).p").exists()
    assert evil.exists()


def test_flickrs_pickle_of_the_same_name_is_not_taken_for_referits(ask: Ask, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    flickr = {"36979": {"sentences": ["a man"], "bbox": {"man": [1, 2, 3, 4]}}}
    (tmp_path / "mine/train.pickle").write_bytes(pickle.dumps(flickr))
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 1
    assert "train.pickle" in result.err
    assert not (tmp_path / "data/referit/annotations/train.pickle").exists()


def test_folders_that_link_to_each_other_end(tmp_path: Path):
    copies.zips(tmp_path / "mine")
    (tmp_path / "mine/again").symlink_to(tmp_path / "mine")
    (tmp_path / "far").mkdir()
    copies.coco_images(tmp_path / "far/train2014", (1, 2, 3, 4))
    for image in (tmp_path / "mine/train2014").iterdir():
        image.unlink()
    (tmp_path / "mine/train2014").rmdir()
    (tmp_path / "mine/train2014").symlink_to(tmp_path / "far/train2014")
    assert import_copy(tmp_path / "mine", tmp_path / "data").images == {"train2014": {"linked": 4}}


def test_referits_pickles_are_read_where_refclef_is_there_too(tmp_path: Path):
    copies.refer_tool(tmp_path / "mine")
    write_referit_as_pickles(tmp_path / "mine")
    import_copy(tmp_path / "mine", tmp_path / "data")
    assert load_split("referit_test", tmp_path / "data").sources[0].path.name == "test.pickle"


def test_the_error_of_an_unreadable_source_is_a_data_error(tmp_path: Path):
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"broken.zip: not a complete zip archive"):
        import_copy(tmp_path / "broken.zip", tmp_path / "data")
