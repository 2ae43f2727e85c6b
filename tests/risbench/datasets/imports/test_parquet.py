"""Parquet copies of RefCOCO: REFER's own where they have it, marked where they have not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from helpers import copies
from helpers.annotations import SIZE, write_refer
from helpers.commands import Ask

from risbench import load_split
from risbench.datasets.imports.copies import import_copy
from risbench.errors import DataError


def test_jxu124s_rows_are_refers_samples(tmp_path: Path):
    import_copy(copies.jxu124(tmp_path / "mine"), tmp_path / "data")
    for name in ("refcoco_val", "refcoco_testA"):
        ours = list(load_split(name, tmp_path / "data"))
        theirs = [sample for sample in load_split(name, write_refer(tmp_path / "refer")) if sample.box]
        by_id = {sample.id: sample for sample in theirs if not sample.text.startswith("in both")}
        assert {sample.id for sample in ours} == set(by_id)
        for sample in ours:
            other = by_id[sample.id]
            assert (sample.text, sample.parts, sample.box) == (other.text, other.parts, other.box)
            assert (sample.size, sample.image_id, sample.sent_id) == (other.size, other.image_id, other.sent_id)


def test_jxu124s_classes_are_the_same_where_refers_are(tmp_path: Path):
    import_copy(copies.jxu124(tmp_path / "mine"), tmp_path / "data")
    assert {sample.category for sample in load_split("refcoco_val", tmp_path / "data")} == {"1", "2"}


def test_a_converted_copy_says_so_in_every_result(ask: Ask, tmp_path: Path):
    copies.lmms(tmp_path / "mine")
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert "note: refcoco: converted from parquet without ids of refs and sentences" in result.err
    ran = ask("run", "--method", "full", "--split", "refcoco_testA", "--data-root", "data", "--out", "run")
    sources = json.loads((tmp_path / "run/header.json").read_text())["split"]["sources"]
    assert [source["file"] for source in sources] == ["refs(unc).p", "origin.json", "instances.json"]
    assert "partial: " in ran.out


def test_whatever_it_counts_a_copy_without_refers_masks_is_partial(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from dataclasses import replace

    from risbench.datasets import catalog
    from risbench.datasets.entry import Counts

    entry = catalog.find("refcoco_testA")
    monkeypatch.setitem(catalog._BY_NAME, "refcoco_testA", replace(entry, expected=Counts(2, 3, 6)))
    import_copy(copies.lmms(tmp_path / "mine"), tmp_path / "data")
    assert load_split("refcoco_testA", tmp_path / "data").partial
    ran = ask("run", "--method", "full", "--split", "refcoco_testA", "--data-root", "data", "--out", "run")
    assert "partial: its annotations were converted from another form" in ran.out
    monkeypatch.setitem(catalog._BY_NAME, "refcoco_testA", replace(entry, expected=Counts(1, 1, 1)))
    import_copy(copies.jxu124(tmp_path / "verbatim"), tmp_path / "other")
    assert not load_split("refcoco_testA", tmp_path / "other").partial


def test_lmms_labs_rows_are_refs_with_made_ids_and_the_pictures_that_came_along(tmp_path: Path):
    report = import_copy(copies.lmms(tmp_path / "mine"), tmp_path / "data")
    samples = list(load_split("refcoco_testA", tmp_path / "data"))
    assert [sample.id for sample in samples[:3]] == [
        "refcoco_testA/testA-00000-0/testA-00000-0-0",
        "refcoco_testA/testA-00000-0/testA-00000-0-1",
        "refcoco_testA/testA-00000-1/testA-00000-1-0",
    ]
    assert [sample.text for sample in samples[:3]] == ["thing 0", "the thing 0", "thing 1"]
    assert [sample.image_id for sample in samples] == [1, 1, 1, 1, 2, 2]
    first = samples[0]
    assert first.size == SIZE
    assert first.box is not None
    assert (first.box.x0, first.box.y0, first.box.x1, first.box.y1) == (10, 5, 30.5, 25)
    assert len(first.parts) == 1
    assert first.image_path.is_file()
    assert report.images == {"train2014": {"copied": 2}}


def test_two_shards_of_a_split_make_ids_that_differ(tmp_path: Path):
    copies.lmms(tmp_path / "mine")
    [shard] = (tmp_path / "mine").rglob("*.parquet")
    shard.with_name("testA-00001-of-00002.parquet").write_bytes(shard.read_bytes())
    import_copy(tmp_path / "mine", tmp_path / "data")
    split = load_split("refcoco_testA", tmp_path / "data")
    assert len(split) == len(set(split.ids)) == 12


@pytest.mark.parametrize(
    ("folder", "word"),
    [("lmms-lab/RefCOCO/data", "val"), ("lmms-lab/RefCOCO/data", "test"), ("lmms-lab/RefCOCOg/data", "val")],
)
def test_the_files_that_mix_divisions_are_left_out(ask: Ask, tmp_path: Path, folder: str, word: str):
    copies.lmms(tmp_path / "mine", folder, word)
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 1
    assert "holds refs of Google's division and is no split of the literature" in result.err


@pytest.mark.parametrize(
    ("folder", "word", "split"),
    [
        ("RefCOCOplus/data", "val", "refcoco+_val"),
        ("RefCOCOplus/default/testB", "0000", "refcoco+_testB"),  # the hub's own conversion
        ("RefCOCOg/data", "test", "refcocog_test_u"),
    ],
)
def test_the_folder_says_whose_rows_they_are(tmp_path: Path, folder: str, word: str, split: str):
    import_copy(copies.lmms(tmp_path / "mine", folder, word), tmp_path / "data")
    assert len(load_split(split, tmp_path / "data")) == 6


def test_what_is_not_known_is_refused_by_name(tmp_path: Path):
    rows = copies.lmms_rows(b"no picture")
    copies.write_parquet(tmp_path / "mine/somewhere/testA.parquet", rows)
    copies.write_parquet(tmp_path / "mine/refcoco/strange-0.parquet", rows)
    copies.write_parquet(tmp_path / "mine/refcoco/testB-0.parquet", [{"text": "x"}])
    copies.write_parquet(tmp_path / "mine/refcoco+/testB-0.parquet", rows)
    (tmp_path / "mine/refcoco/testA-0.parquet").write_bytes(b"PAR1 broken")
    report = import_copy(tmp_path / "mine", tmp_path / "data")
    message = " ".join(f"{refused.name}: {refused.reason}\n" for refused in report.refused)
    assert "somewhere/testA.parquet: which data set it is shows nowhere" in message
    assert "strange-0.parquet: which split it is shows nowhere" in message
    assert "testB-0.parquet: its columns are those of neither" in message
    assert "testA-0.parquet: not a parquet file that can be read" in message
    assert "row 0: its image cannot be read" in message
    assert report.empty
    assert not list((tmp_path / "data").rglob("*.p"))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"raw_anns": "{}"}, "its ids are not those"),
        ({"raw_image_info": "not json"}, "'raw_image_info' is not the JSON text"),
        ({"raw_image_info": None}, "'raw_image_info' is not the JSON text"),
        ({"sentences": []}, None),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: dict, fault: str | None):
    rows = copies.jxu124_rows()["validation"]
    copies.write_parquet(tmp_path / "mine/refcoco/val-0.parquet", [*rows[:1], {**rows[1], **change}])
    report = import_copy(tmp_path / "mine", tmp_path / "data")
    if fault is None:
        assert len(load_split("refcoco_val", tmp_path / "data")) == 2
    else:
        assert f"row 1: {fault}" in report.refused[0].reason
        assert report.empty


@pytest.mark.parametrize(
    "change",
    [
        {"file_name": 7},
        {"file_name": None},
        {"image": b"x"},
        {"image": None},
        {"image": {"path": "x.jpg"}},
        {"answer": [1, 2]},
        {"segmentation": ["a"]},
        {"bbox": "all"},
        {"bbox": [1.0]},
    ],
)
def test_columns_of_another_type_are_refused_and_nothing_stays(tmp_path: Path, change: dict):
    copies.lmms(tmp_path / "mine")
    [file] = (tmp_path / "mine").rglob("*.parquet")
    from pyarrow import parquet

    rows = [{**row, **change} for row in parquet.read_table(file).to_pylist()]
    copies.write_parquet(file, rows)
    report = import_copy(tmp_path / "mine", tmp_path / "data")
    assert report.refused
    assert not report.annotations
    assert not list((tmp_path / "data").glob("refer/refcoco/*"))


def test_a_mark_left_beside_other_annotations_says_nothing_of_them(tmp_path: Path):
    import_copy(copies.lmms(tmp_path / "mine"), tmp_path / "data")
    folder = tmp_path / "data/refer/refcoco"
    for name in ("refs(unc).p", "instances.json"):
        (folder / name).unlink()
    import_copy(copies.zips(tmp_path / "true"), tmp_path / "data")
    split = load_split("refcoco_val", tmp_path / "data")
    assert (folder / "origin.json").is_file()
    assert [source.path.name for source in split.sources] == ["refs(unc).p", "instances.json"]


@pytest.mark.parametrize("content", ["{", "[]", '{"exact": true}', '{"exact": "yes", "made": {}}'])
def test_a_broken_mark_is_named(tmp_path: Path, content: str):
    import_copy(copies.lmms(tmp_path / "mine"), tmp_path / "data")
    (tmp_path / "data/refer/refcoco/origin.json").write_text(content)
    with pytest.raises(DataError, match=r"origin.json.*import the copy again"):
        load_split("refcoco_testA", tmp_path / "data")


def test_beside_refers_own_files_nothing_is_converted_and_nothing_left_half(tmp_path: Path):
    write_refer(tmp_path / "data")
    before = (tmp_path / "data/refer/refcoco/refs(unc).p").read_bytes()
    (tmp_path / "data/refer/refcoco/instances.json").unlink()
    report = import_copy(copies.jxu124(tmp_path / "mine"), tmp_path / "data")
    assert "another file exists there and was kept" in report.refused[0].reason
    assert [file.name for file in (tmp_path / "data/refer/refcoco").iterdir()] == ["refs(unc).p"]
    assert (tmp_path / "data/refer/refcoco/refs(unc).p").read_bytes() == before


def test_two_forms_of_one_data_set_are_not_mixed(tmp_path: Path):
    copies.jxu124(tmp_path / "mine/a")
    copies.lmms(tmp_path / "mine/b")
    report = import_copy(tmp_path / "mine", tmp_path / "data")
    assert {refused.reason.partition(";")[0] for refused in report.refused} == {
        "a copy of jxu124's form and one of lmms-lab's"
    }


def test_a_picture_that_is_there_is_kept(tmp_path: Path):
    copies.coco_images(tmp_path / "data/train2014", (1,))
    before = (tmp_path / "data/train2014/COCO_train2014_000000000001.jpg").read_bytes()
    report = import_copy(copies.lmms(tmp_path / "mine"), tmp_path / "data")
    assert report.images == {"train2014": {"kept another": 1, "copied": 1}}
    assert (tmp_path / "data/train2014/COCO_train2014_000000000001.jpg").read_bytes() == before


def test_without_pyarrow_one_line_says_what_to_install(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copies.lmms(tmp_path / "mine")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 1
    assert result.err.endswith("reading parquet needs pyarrow: pip install 'risbench[parquet]'\n")
    assert result.err.count("\n") == 1


def test_refcoco_m_is_told_to_be_a_truth(ask: Ask, tmp_path: Path):
    import pyarrow
    import pyarrow.parquet

    sample = {"sentences": ["left thing"], "bbox": [1.0, 2.0, 3.0, 4.0], "mask": {"size": [40, 60], "counts": "x"}}
    row = {"image": {"bytes": b"", "path": None}, "image_id": 25, "file_name": "a.jpg", "samples": [sample]}
    folder = tmp_path / "refcoco-m" / "data"
    folder.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), folder / "validation-00000-of-00001.parquet")
    result = ask("data", "import", "--from", "refcoco-m", "--data-root", "data")
    assert result.code == 1
    assert "risbench score PREDICTIONS --split refcoco_val --truth FILE.json --truth-only" in result.err
