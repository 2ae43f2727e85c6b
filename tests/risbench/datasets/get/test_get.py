"""`risbench data get` as a user calls it, against a site on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from helpers import annotations, mirror
from helpers.commands import Ask, ask
from helpers.got import VAL, there
from helpers.site import Site

from risbench.datasets import load_split

__all__ = ["ask"]


def test_a_split_comes_with_only_the_images_that_it_needs_each_asked_for_once(site: Site, root: Path, ask: Ask):
    result = ask("data", "get", "refcoco_val")
    assert result.code == 0, result.err
    assert sorted(site.paths()) == ["/coco/" + mirror.file_of(1), "/coco/" + mirror.file_of(2), "/refcoco.zip"]
    images = {f"train2014/{mirror.file_of(number)}" for number in (1, 2)}
    assert there(root) == {"refer/refcoco/instances.json", "refer/refcoco/refs(unc).p", *images}
    assert result.out == "refcoco_val: there, with 2 of 2 images\n  next: risbench data check refcoco_val\n"
    assert "no checksum is published" in result.err
    checked = ask("data", "check", "refcoco_val", "--json")
    assert json.loads(checked.out)[0]["images_absent"] == 0


def test_what_is_there_is_not_got_again(site: Site, root: Path, ask: Ask):
    ask("data", "get", "refcoco_val")
    site.requests.clear()
    result = ask("data", "get", "refcoco_val", "refcoco")
    assert (result.code, site.requests) == (0, [])
    assert "all its 2 images exist" in result.err
    (root / VAL[0].replace("/coco", "train2014")).unlink()
    assert ask("data", "get", "refcoco_val").code == 0
    assert site.paths() == [VAL[0]]


def test_a_broken_image_is_got_again_and_a_whole_one_is_not(site: Site, root: Path, ask: Ask):
    ask("data", "get", "refcoco_val")
    site.requests.clear()
    (root / VAL[0].replace("/coco", "train2014")).write_bytes(b"")
    (root / VAL[1].replace("/coco", "train2014")).write_bytes(mirror.jpeg((7, 5)))
    assert ask("data", "get", "refcoco_val").code == 0
    assert sorted(site.paths()) == VAL


def test_a_run_that_was_broken_off_asks_for_the_missing_images_only(site: Site, root: Path, ask: Ask):
    site.pages[VAL[1]].script = [404]
    result = ask("data", "get", "refcoco_val", "--jobs", "1")
    assert result.code == 1
    assert f"missing: {mirror.file_of(2)}: 127.0.0.1" in result.err
    assert "there, with 1 of 2 images" in result.out
    site.requests.clear()
    assert ask("data", "get", "refcoco_val").code == 0
    assert site.paths() == [VAL[1]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>not found</html>", "is a web page saved under this name"),
        (mirror.jpeg((41, 60)), "is 41x60"),
        (mirror.jpeg()[:-200], "truncated"),
    ],
)
def test_an_image_that_is_not_the_one_never_takes_its_place(
    site: Site, root: Path, ask: Ask, body: bytes, message: str
):
    site.pages[VAL[0]].body = body
    result = ask("data", "get", "refcoco_val")
    assert result.code == 1
    assert message in result.err
    assert f"train2014/{mirror.file_of(1)}" not in there(root)
    assert not [path for path in there(root) if ".part" in path]


def test_images_that_lie_in_the_refer_tools_folder_stay_there(site: Site, root: Path, ask: Ask):
    folder = root / "images/mscoco/images/train2014"
    folder.mkdir(parents=True)
    (folder / mirror.file_of(1)).write_bytes(mirror.jpeg(value=1))
    assert ask("data", "get", "refcoco_val").code == 0
    assert site.paths() == ["/refcoco.zip", VAL[1]]
    assert (folder / mirror.file_of(2)).is_file()
    assert not (root / "train2014").exists()


def test_a_set_comes_without_images_or_with_all_that_it_needs(site: Site, root: Path, ask: Ask):
    result = ask("data", "get", "refcoco")
    assert (result.code, site.paths()) == (0, ["/refcoco.zip"])
    assert result.out.startswith("refcoco: there, without images\n  next: risbench data check refcoco_train ")
    assert ask("data", "get", "refcoco", "--images", "split").code == 0
    assert sorted(site.paths()[1:]) == ["/coco/" + mirror.file_of(number) for number in (1, 2, 3, 4)]


def test_a_file_that_was_changed_since_is_told_and_left(site: Site, root: Path, ask: Ask):
    ask("data", "get", "refcoco_val")
    path = root / "refer/refcoco/instances.json"
    path.write_text(path.read_text() + " ")
    result = ask("data", "get", "refcoco_val")
    assert result.code == 0
    assert f"warning: {path} is not the downloaded file" in result.err
    path.unlink()
    site.requests.clear()
    assert ask("data", "get", "refcoco_val").code == 0
    assert site.paths() == ["/refcoco.zip"]


def test_another_archive_than_the_first_is_refused(site: Site, root: Path, ask: Ask):
    ask("data", "get", "refcoco")
    first = json.loads((root / "risbench-downloads.json").read_text())["archives"]["refcoco"]
    assert first["trust"] == "first use"
    (root / "refer/refcoco/refs(unc).p").unlink()
    site.put("/refcoco.zip", mirror.refcoco_zip("another"))
    result = ask("data", "get", "refcoco")
    assert result.code == 1
    assert f"then it was {first['sha256']}" in result.err.splitlines()[-1]
    assert not (root / "refer/refcoco/refs(unc).p").exists()


def test_all_images_come_as_one_archive_and_once(site: Site, root: Path, tmp_path: Path, ask: Ask):
    pictures = {f"train2014/{mirror.file_of(number)}": mirror.jpeg(value=number) for number in (1, 2, 3, 4)}
    site.put("/train2014.zip", mirror.zipped({**pictures, "train2014/other.txt": b"x"}))
    images = {"name": "COCO_train2014_[0-9]{12}\\.jpg", "below": "train2014", "folder": "train2014", "count": 4}
    coco = {
        "file": "train2014.zip",
        "holds": "COCO",
        "images": images,
        "most": mirror.MOST,
        "sources": [{"url": site.url("/train2014.zip")}],
    }
    mirror.table_on(site, tmp_path / "sources.json", coco_train2014=coco)
    result = ask("data", "get", "coco-train2014")
    assert (result.code, result.out) == (0, "coco-train2014: there\n")
    assert there(root) == set(pictures)
    assert ask("data", "get", "refcoco_val", "--images", "all").code == 0
    assert site.paths() == ["/train2014.zip", "/refcoco.zip"]


def _referit_table(site: Site, tmp_path: Path) -> None:
    made = annotations.write_referit_as_pickles(tmp_path / "made")
    pickle = (made / "referit/annotations/test.pickle").read_bytes()
    site.put("/pickles.zip", mirror.zipped({"annotations/train.pickle": pickle, "annotations/test.pickle": pickle}))
    pictures = {"x/00/images/112.jpg": mirror.jpeg((100, 200)), "x/01/images/1019.jpg": mirror.jpeg((80, 100))}
    site.put("/saiapr.zip", mirror.zipped(pictures))
    members = {name: f"referit/annotations/{name}" for name in ("train.pickle", "test.pickle")}
    images = {"name": "[0-9]+\\.jpg", "below": "images", "folder": "referit/images", "count": 2}
    common = {"most": mirror.MOST, "holds": "ReferIt"}
    mirror.table_on(
        site,
        tmp_path / "sources.json",
        referit_pickles={
            **common,
            "file": "pickles.zip",
            "members": members,
            "sources": [{"url": site.url("/pickles.zip")}],
        },
        saiapr={**common, "file": "saiapr.zip", "images": images, "sources": [{"url": site.url("/saiapr.zip")}]},
    )


@pytest.mark.parametrize("name", ["referit", "referit_test_5pct"])
def test_referit_comes_as_pickles_with_its_images(site: Site, root: Path, tmp_path: Path, ask: Ask, name: str):
    _referit_table(site, tmp_path)
    result = ask("data", "get", name)
    assert result.code == 0, result.err
    assert there(root) == {
        "referit/annotations/train.pickle",
        "referit/annotations/test.pickle",
        "referit/images/112.jpg",
        "referit/images/1019.jpg",
    }
    assert ask("data", "check", "referit_test_5pct").code == 0
    assert ask("data", "get", name).code == 0
    assert sorted(site.paths()) == ["/pickles.zip", "/saiapr.zip"]


def test_a_broken_image_out_of_an_archive_is_replaced_from_it(site: Site, root: Path, tmp_path: Path, ask: Ask):
    _referit_table(site, tmp_path)
    ask("data", "get", "referit_test")
    (root / "referit/images/112.jpg").write_bytes(b"")
    result = ask("data", "get", "referit_test")
    assert result.code == 0
    assert "1 file written, 1 existed already, 1 of them differed from the archive's and were replaced" in result.err
    assert ask("data", "check", "referit_test").code == 0
    assert site.paths().count("/saiapr.zip") == 2


def test_an_archive_with_a_hole_names_the_images_that_it_lacks(site: Site, tmp_path: Path, ask: Ask):
    _referit_table(site, tmp_path)
    site.put("/saiapr.zip", mirror.zipped({"x/00/images/112.jpg": mirror.jpeg((100, 200))}))
    result = ask("data", "get", "referit_test")
    assert result.code == 1
    assert "missing: 1019.jpg: is not in saiapr" in result.err


def test_json_tells_what_came(site: Site, root: Path, ask: Ask):
    site.pages[VAL[0]].script = [403]
    result = ask("data", "get", "refcoco_val", "--json")
    assert result.code == 1
    (got,) = json.loads(result.out)
    assert got["archives"] == {"refcoco": f"{site.url('/refcoco.zip')} (first use)"}
    assert (got["name"], got["images"], got["fetched"], got["check"]) == ("refcoco_val", 2, 1, ["refcoco_val"])
    assert list(got["failed"]) == [mirror.file_of(1)]


def test_a_mirror_of_ones_own_is_asked_instead(site: Site, root: Path, ask: Ask):
    site.put("/mine/refcoco.zip", mirror.refcoco_zip())
    for number in (1, 2):
        site.put(f"/mine/train2014/{mirror.file_of(number)}", mirror.jpeg(value=number))
    result = ask("data", "get", "refcoco_val", "--from", site.url("/mine"), "--data-root", root / "my data")
    assert result.code == 0, result.err
    assert all(path.startswith("/mine/") for path in site.paths())
    assert result.out.endswith(f"--data-root '{root}/my data'\n")


def test_what_is_missing_names_the_command_that_gets_it(site: Site, root: Path, ask: Ask):
    hint = "`risbench data get refcoco_val` gets what is missing"
    assert hint in ask("data", "where", "refcoco_val").err
    checked = ask("data", "check", "refcoco_val")
    assert checked.code == 1
    assert "`risbench data get refcoco_val`" in checked.out + checked.err
    root.mkdir(exist_ok=True)
    assert "`risbench data get refcoco_val` downloads it" in "".join(
        ask("data", "leaks", "refcoco_val", "refcoco_train")[1:]
    )
    ask("data", "get", "refcoco_val")
    assert hint not in ask("data", "where", "refcoco_val").err
    assert ask("data", "where", "shapes_val").err == ""


def test_our_own_table_refuses_what_is_not_the_known_archive(
    site: Site, root: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("RISBENCH_SOURCES")
    result = ask("data", "get", "refcoco", "--from", site.base)
    size = len(site.pages["/refcoco.zip"].body)
    assert result.code == 1
    assert f"has {size} bytes instead of 53993993" in result.err.splitlines()[-1]
    assert "by hand: https://www.kaggle.com" in result.err.splitlines()[-1]


def test_the_authors_tiny_copy_comes_as_it_is(site: Site, root: Path, mini: Path, ask: Ask):
    files = {f"refcoco/{path.name}": path.read_bytes() for path in (mini / "refer/refcoco").iterdir()}
    site.put("/refcoco.zip", mirror.zipped(files))
    for path in (mini / "train2014").glob("*.jpg"):
        site.put(f"/coco/{path.name}", path.read_bytes())
    table = json.loads(Path(os.environ["RISBENCH_SOURCES"]).read_text())
    table["archives"]["refcoco"]["most"] = dict.fromkeys(mirror.MOST, 10**8)
    Path(os.environ["RISBENCH_SOURCES"]).write_text(json.dumps(table))
    result = ask("data", "get", "refcoco_val", "refcoco_testA", "refcoco_testB")
    assert result.code == 0, result.err
    for name in ("refcoco_val", "refcoco_testA", "refcoco_testB"):
        got, there = load_split(name, root), load_split(name, mini)
        assert [(one.id, one.text, one.parts) for one in got] == [(one.id, one.text, one.parts) for one in there]
        assert all(a.image_path.read_bytes() == b.image_path.read_bytes() for a, b in zip(got, there, strict=True))


def test_drawn_scenes_need_nothing(site: Site, ask: Ask):
    result = ask("data", "get", "shapes_val")
    assert (result.code, site.requests) == (0, [])
    assert "drawn scenes are drawn at the first use" in result.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["refcoco_vall"], 2, "near names: refcoco_val"),
        ([], 2, "Missing argument"),
        (["refcoco", "--jobs", "99"], 2, "--jobs"),
        (["refcoco", "--from", "/tmp"], 2, "data import"),
        (["refcocog"], 2, "near names"),
    ],
)
def test_a_wrong_command_is_one_line(site: Site, root: Path, ask: Ask, words: list[str], code: int, message: str):
    result = ask("data", "get", *words)
    assert result.code == code
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert not root.exists()
