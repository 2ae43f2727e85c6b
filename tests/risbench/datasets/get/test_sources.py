from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from risbench.datasets import catalog
from risbench.datasets.entry import COCO_ORIGIN, REFER_ORIGIN, REFERIT_ORIGIN, SAIAPR_ORIGIN
from risbench.datasets.get import sources
from risbench.datasets.get.orders import order_of
from risbench.datasets.get.sources import read_sources
from risbench.errors import DataError, UsageError

TABLE = json.loads(Path(sources.__file__).with_name("sources.json").read_text())
ARCHIVES = tuple(read_sources().archives)


def test_every_address_size_and_checksum_says_where_it_was_read():
    for name, entry in TABLE["archives"].items():
        for source in [*entry["sources"], *entry["by_hand"]]:
            assert source["read_at"].startswith("https://"), name
        if {"size", "sha256", "md5"} & set(entry):
            assert entry["checksum_read_at"].startswith("https://"), name
        if "count" in entry.get("images", {}):
            assert entry["images"]["count_read_at"].startswith("https://"), name
    for entry in TABLE["images"].values():
        assert all(source["read_at"].startswith("https://") for source in entry["sources"])


def test_the_table_fits_the_tree_that_the_readers_read():
    table = read_sources()
    placed = {place for archive in table.archives.values() for place in archive.members.values()}
    for name in catalog.names():
        entry = catalog.find(name)
        if entry.family == "drawn":
            continue
        assert {f"refer/{entry.folder}/{entry.refs_file}", f"refer/{entry.folder}/instances.json"} <= placed
        if entry.pickle is not None:
            assert f"referit/annotations/{entry.pickle}" in placed
    folders = {archive.images.folder for archive in table.archives.values() if archive.images}
    assert folders == {"train2014", "referit/images"}


def test_the_table_names_the_places_that_the_catalog_names():
    text = json.dumps(TABLE)
    for origin in (COCO_ORIGIN, REFERIT_ORIGIN, SAIAPR_ORIGIN, REFER_ORIGIN):
        named = re.findall(r"https?://[^\s);]+|[\w-]+\.zip", origin)
        assert named
        for place in named:
            if place != "https://github.com/fawnliu/storage":
                assert place in text, place
    assert "https://github.com/fawnliu/storage/releases/download/v1.0.2/referit_annotations.zip" in text


def test_checksums_have_the_length_of_checksums_and_archives_have_more_than_one_source_where_one_was_found():
    for name, archive in read_sources().archives.items():
        assert archive.sha256 is None or len(bytes.fromhex(archive.sha256)) == 32
        assert archive.md5 is None or len(bytes.fromhex(archive.md5)) == 16
        assert len(archive.sources) > 1 or name == "referit-pickles"
        assert archive.size is None or archive.size < archive.most_archive


def test_a_mirror_takes_the_place_of_all_sources():
    table = read_sources().at("http://mirror.example/data/")
    assert [one.url for one in table.archives["refcoco+"].sources] == ["http://mirror.example/data/refcoco%2B.zip"]
    assert [one.url for one in table.images["train2014"].sources] == ["http://mirror.example/data/train2014/{file}"]
    assert table.archives["refcoco"].sha256 == read_sources().archives["refcoco"].sha256
    for wrong in ("file:///tmp", "/tmp/here", "mirror.example", "ftp://x/y"):
        with pytest.raises(UsageError, match="data import"):
            table.at(wrong)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table["archives"]["refcoco"].pop("file"),
        lambda table: table["archives"]["refcoco"]["sources"].append({"url": "file:///etc/passwd"}),
        lambda table: table["archives"]["refcoco"]["members"].update(x="../../x"),
        lambda table: table["archives"]["refcoco"].update(file="/etc/passwd"),
        lambda table: table["archives"]["saiapr"]["images"].update(name="("),
        lambda table: table["archives"]["saiapr"].update(most=5),
        lambda table: table.pop("archives"),
    ],
)
def test_a_broken_table_of_ones_own_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change):
    table = json.loads(json.dumps(TABLE))
    change(table)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(table))
    monkeypatch.setenv("RISBENCH_SOURCES", str(path))
    with pytest.raises(DataError, match=r"mine\.json"):
        read_sources()
    path.unlink()
    with pytest.raises(DataError, match=r"mine\.json: cannot be read .*RISBENCH_SOURCES"):
        read_sources()


def order(name: str, images=None) -> tuple:
    found = order_of(name, images, ARCHIVES)
    return found.annotations, found.images, found.splits, found.singly


def test_a_split_asks_for_its_annotations_and_its_own_images():
    assert order("refcoco_val") == ("refcoco", None, ("refcoco_val",), "train2014")
    assert order("refcocoplus_testA") == ("refcoco+", None, ("refcoco+_testA",), "train2014")
    assert order("refcocog_test_u", "none") == ("refcocog", None, (), None)
    assert order("refcocog_test_u", "all") == ("refcocog", "coco-train2014", (), None)


def test_referit_asks_for_the_pickles_where_the_pickles_have_the_split():
    assert order("referit_test_5pct") == ("referit-pickles", None, ("referit_test_5pct",), None)
    assert order("referit_val") == ("refclef", None, ("referit_val",), None)
    assert order("referit_testB_unc", "all") == ("refclef", "saiapr", (), None)
    assert order("referit") == ("referit-pickles", "saiapr", (), None)
    assert order("referit", "none") == ("referit-pickles", None, (), None)


def test_a_set_asks_for_annotations_alone_unless_told_otherwise():
    assert order("refcoco") == ("refcoco", None, (), None)
    assert order("refcocoplus") == ("refcoco+", None, (), None)
    splits = ("refcoco_train", "refcoco_val", "refcoco_testA", "refcoco_testB")
    assert order("refcoco", "split") == ("refcoco", None, splits, "train2014")
    assert order("refclef", "all") == ("refclef", "saiapr", (), None)
    assert order("referit-pickles") == ("referit-pickles", None, (), None)
    assert order("coco-train2014") == (None, "coco-train2014", (), None)
    assert order("saiapr") == (None, "saiapr", (), None)
    assert order("shapes_val") == (None, None, (), None)


def test_an_unknown_name_is_told_the_near_ones():
    with pytest.raises(UsageError, match=r"'refcoco_vall'; near names: refcoco_val"):
        order("refcoco_vall")
    with pytest.raises(UsageError, match=r"'imagenet'; known: refcoco, .*referit, and every split"):
        order("imagenet")


def test_every_split_can_be_asked_for():
    for name in catalog.names():
        found = order_of(name, None, ARCHIVES)
        assert found.check == (name,)
        assert found.annotations in (*ARCHIVES, None)
