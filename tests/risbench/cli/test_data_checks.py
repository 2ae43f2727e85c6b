"""Commands that look after data sets: `data check`, `data where` and `data leaks`."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.annotations import SIZE, annotation, image, ref, refer_content, sentence, write_image, write_refer
from helpers.commands import Ask

SPLIT = "refcoco_val"


def test_checking_a_split_tells_its_counts_and_what_is_wrong(ask: Ask, root: Path):
    result = ask("data", "check", SPLIT, "--data-root", root, "--json")
    (report,) = json.loads(result.out)
    assert report["split"] == SPLIT
    assert report["counts"] == {"images": 2, "refs": 4, "expressions": 6}
    assert report["expected"] == {"images": 1500, "refs": 3811, "expressions": 10834}
    assert report["partial"]
    assert report["images_present"] == 2
    assert {problem["kind"] for problem in report["problems"]} <= {"box", "mask"}
    assert result.code == (0 if report["ok"] else 1)


def test_a_whole_and_right_split_passes_and_a_lost_image_does_not(ask: Ask, tmp_path: Path):
    instances, refs = refer_content()
    good = [ref for ref in refs if ref["ref_id"] in (100, 103)]
    root = write_refer(tmp_path / "good", instances, good)
    image = root / "train2014" / "COCO_train2014_000000000001.jpg"
    write_image(image, SIZE)
    result = ask("data", "check", SPLIT, "--data-root", root)
    assert result.code == 0
    assert "refcoco_val: ok, partial" in result.out
    image.unlink()
    result = ask("data", "check", SPLIT, "--data-root", root)
    assert result.code == 1
    assert f"image {image.name}: " in result.out
    assert ask("data", "check", SPLIT, "--no-images", "--data-root", root).code == 0


def test_an_absent_split_fails_its_check_with_the_missing_file(ask: Ask, tmp_path: Path):
    result = ask("data", "check", "refcoco_val", "refcoco+_val", "--data-root", tmp_path / "none", "--json")
    assert result.code == 1
    assert [report["ok"] for report in json.loads(result.out)] == [False, False]
    assert "no such data root" in json.loads(result.out)[0]["problems"][0]["text"]


def test_where_tells_each_file_and_whether_it_is_there(ask: Ask, root: Path):
    found = json.loads(ask("data", "where", SPLIT, "--data-root", root, "--json").out)
    assert {item["what"] for item in found} == {"annotations", "images"}
    assert {Path(item["path"]).name: item["found"] for item in found if item["what"] == "annotations"} == {
        "refs(unc).p": True,
        "instances.json": True,
    }
    result = ask("data", "where", "refcocog_val_u", "--data-root", root)
    assert result.code == 0
    assert "missing annotations" in result.out
    assert str(root / "refer" / "refcocog" / "refs(umd).p") in result.out


def test_where_shows_brackets_in_a_path(ask: Ask, tmp_path: Path):
    result = ask("data", "where", SPLIT, "--data-root", tmp_path / "a [red]b")
    assert str(tmp_path / "a [red]b" / "train2014") in result.out


def test_leaks_are_found_or_their_absence_said(ask: Ask, root: Path, tmp_path: Path):
    instances, refs = refer_content()
    for one in refs:
        one["split"] = {"val": "train", "testA": "val"}.get(one["split"], one["split"])
    refs[1]["split"] = "val"
    leaky = write_refer(tmp_path / "leaky", instances, refs)
    result = ask("data", "leaks", "--data-root", leaky, "--json")
    assert result.code == 0
    leaks = {(leak["seen"], leak["tested"]): leak["images"] for leak in json.loads(result.out)}
    assert leaks["refcoco_train", "refcoco_val"] == 1
    assert "refcoco_train" in ask("data", "leaks", "--data-root", leaky).out
    none = ask("data", "leaks", SPLIT, "--data-root", root)
    assert (none.out, none.err) == ("", "no shared images among the splits that are there\n")
    assert json.loads(ask("data", "leaks", SPLIT, "--data-root", root, "--json").out) == []


def test_a_check_fits_on_a_screen_however_much_is_wrong(ask: Ask, tmp_path: Path):
    images = [image(n, SIZE) for n in range(50)]
    anns = [annotation(n, n, [40, 5, 50, 10], [[40, 5, 90, 5, 90, 15]]) for n in range(50)]
    refs = [ref(n, n, n, "val", [sentence(n, "x")]) for n in range(50)]
    root = write_refer(tmp_path / "bad", {"images": images, "annotations": anns}, refs)
    result = ask("data", "check", SPLIT, "--data-root", root)
    assert result.code == 1
    assert "100 PROBLEMS" in result.out
    assert "46 more of image, 46 more of mask (--json lists all)" in result.out
    assert len(result.out.splitlines()) < 20
    report = json.loads(ask("data", "check", SPLIT, "--data-root", root, "--json", "--deep").out)[0]
    assert (len(report["problems"]), report["deep"]) == (100, True)


def test_two_splits_and_a_list_are_held_against_each_other(ask: Ask, root: Path, tmp_path: Path):
    result = ask("data", "leaks", "refcoco_testB", "refcoco_testA", "--data-root", root)
    assert result.code == 0
    assert "seen in refcoco_testA, tested in refcoco_testB:" in result.out or "seen in refcoco_testB" in result.out
    assert "expressions are about these images" in result.out
    (tmp_path / "trained.txt").write_text("1\nCOCO_train2014_000000000009.jpg\n")
    result = ask("data", "leaks", SPLIT, "--images", "trained.txt", "--data-root", root)
    assert "seen in trained.txt, tested in refcoco_val:" in result.out
    assert "1 of 2 are in both" in result.out
    assert "1 of its 2 entries are images of this data set" in result.out
    assert "standing warning" not in result.out
    record = json.loads(ask("data", "leaks", SPLIT, "--images", "trained.txt", "--data-root", root, "--json").out)
    assert (record[0]["images"], record[0]["listed"]) == (1, {"known": 1, "entries": 2})
    assert ask("data", "leaks", "--images", "trained.txt").code == 2
    assert ask("data", "leaks", SPLIT, "--images", "none.txt", "--data-root", root).code == 1


def test_the_standing_warning_needs_no_data(ask: Ask, tmp_path: Path):
    result = ask("data", "leaks", "--data-root", tmp_path / "empty")
    assert result.code == 0
    assert "at least 3,549 of val's images" in result.out
    (record,) = json.loads(ask("data", "leaks", "--data-root", tmp_path / "empty", "--json").out)
    assert (record["images"], record["texts"]) == (None, None)
    assert "3,549" in record["standing"]


def test_the_tiny_data_can_be_looked_after(ask: Ask, mini: Path):
    names = ["refcoco_val", "refcoco+_testA", "refcocog_val_u"]
    result = ask("data", "check", *names, "--data-root", mini, "--json")
    reports = json.loads(result.out)
    assert [report["split"] for report in reports] == names
    assert all(report["partial"] and report["images_absent"] == 0 and report["masks"] for report in reports)
    assert all(
        item["found"] for item in json.loads(ask("data", "where", "refcoco_val", "--data-root", mini, "--json").out)[:2]
    )
    assert ask("data", "leaks", "--data-root", mini, "--json").code == 0
