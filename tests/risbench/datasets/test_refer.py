from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.annotations import (
    CROWD,
    SIZE,
    annotation,
    code_of,
    image,
    rectangle,
    ref,
    refer_content,
    sentence,
    write_refer,
)
from pycocotools import mask as coco

from risbench.datasets import load_split
from risbench.datasets.annotations import instances as module_of_instances
from risbench.datasets.annotations.refer import read_refer
from risbench.errors import DataError
from risbench.io import jsonpieces
from risbench.io.jsonpieces import NotInPiecesError
from risbench.masks import decode
from risbench.records import Box


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_refer(tmp_path / "data")


def test_samples_stand_in_the_order_of_the_pickle(root: Path):
    split = load_split("refcoco_val", root)
    assert split.ids == tuple(
        f"refcoco_val/{tail}" for tail in ("101/5", "101/3", "100/0", "102/9", "103/10", "103/11")
    )
    assert [sample.id for sample in split] == list(split.ids)
    assert [sample.text for sample in split][-2:] == ["café ☕", ""]


def test_ids_keep_their_json_type(root: Path):
    sample = load_split("refcoco_val", root)[0]
    assert (sample.image_id, sample.ref_id, sample.sent_id) == (2, 101, 5)
    assert {type(ident) for ident in (sample.image_id, sample.ref_id, sample.sent_id)} == {int}


def test_xywh_becomes_corners(root: Path):
    assert load_split("refcoco_val", root).sample("refcoco_val/100/0").box == Box(10.25, 5.5, 30.75, 25.75)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the COCO tools' own
def test_every_form_of_segmentation_is_the_mask_that_the_coco_tools_make(root: Path):
    split = load_split("refcoco_val", root)
    anns = {ann["id"]: ann for ann in refer_content()[0]["annotations"]}
    for ref_id, ann_id in ((100, 11), (101, 13), (102, 14), (103, 12)):
        sample = next(sample for sample in split if sample.ref_id == ref_id)
        stored = anns[ann_id]["segmentation"]
        if isinstance(stored, dict):
            stored = [stored] if isinstance(stored["counts"], str) else [coco.frPyObjects(stored, *SIZE)]
        elif isinstance(stored[0], list):
            stored = coco.frPyObjects(stored, *SIZE)
        wanted = coco.decode(stored)
        assert len(sample.parts) == wanted.shape[2]
        for n, part in enumerate(sample.parts):
            assert part["size"] == list(SIZE)
            np.testing.assert_array_equal(decode(part), wanted[:, :, n] == 1)


def test_an_object_without_a_mask_has_no_parts_but_a_box(root: Path):
    sample = load_split("refcoco_testA", root).sample("refcoco_testA/104/20")
    assert sample.parts == ()
    assert sample.box == Box(1, 1, 6, 6)


def test_an_expression_without_a_target_has_neither(root: Path):
    sample = load_split("refcoco_testB", root).sample("refcoco_testB/106/22")
    assert (sample.parts, sample.box, sample.category) == ((), None, None)


def test_the_class_is_named_where_it_has_a_name(root: Path):
    assert [sample.category for sample in load_split("refcoco_val", root)] == ["cat", "cat", "cat", "cat", "cup", "cup"]
    assert load_split("refcoco_testB", root)[0].category is None


def test_a_ref_of_two_tests_is_in_both(root: Path):
    assert "refcoco_testA/107/23" in load_split("refcoco_testA", root).ids
    assert "refcoco_testB/107/23" in load_split("refcoco_testB", root).ids


def test_a_ref_without_sentences_counts_but_has_no_sample(root: Path):
    split = load_split("refcoco_train", root)
    assert (tuple(split.counts), len(split), split.images) == ((1, 1, 0), 0, ())


def test_images_are_looked_for_in_both_trees(root: Path):
    name = "COCO_train2014_000000000002.jpg"
    assert load_split("refcoco_val", root)[0].image_path == root / "train2014" / name
    (root / "images/mscoco/images/train2014").mkdir(parents=True)
    assert load_split("refcoco_val", root)[0].image_path == root / "images/mscoco/images/train2014" / name
    (root / "train2014").mkdir()
    split = load_split("refcoco_val", root)
    assert split[0].image_path == split.image_folder / name == root / "train2014" / name


def _broken(change) -> tuple[dict, list]:
    instances, refs = refer_content()
    instances = json.loads(json.dumps(instances))
    change(instances, refs)
    return instances, refs


def _set(where: str, row: int, key: str, value):
    def change(instances, refs):
        (refs if where == "refs" else instances[where])[row][key] = value

    return change


def _drop(where: str, row: int, key: str):
    def change(instances, refs):
        del (refs if where == "refs" else instances[where])[row][key]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop("images", 1, "height"), r"instances\.json: image 2: has no 'height'"),
        (_set("images", 1, "width", "sixty"), r"instances\.json: image 2: 'width' is a str \('sixty'\), not a whole"),
        (_set("images", 1, "width", 60.5), r"image 2: 'width' is a float \(60\.5\), not a whole number"),
        (_set("images", 1, "width", True), r"image 2: 'width' is a bool, not a whole number"),
        (_set("images", 1, "id", 2.5), r"image number 1: 'id' is a float \(2\.5\), not a whole number or a text"),
        (_set("refs", 0, "ann_id", True), r"ref 101: 'ann_id' refers to annotation True"),
        (_set("images", 1, "width", 0), r"image 2: has an impossible size"),
        (_set("images", 2, "file_name", "../../etc/passwd"), r"image 3: .* leads out of its folder"),
        (_set("images", 2, "id", None), r"image number 2: 'id' is a NoneType"),
        (_drop("annotations", 0, "image_id"), r"annotation 11: has no 'image_id'"),
        (
            _set("annotations", 0, "image_id", 99),
            r"annotation 11: 'image_id' refers to image 99, which .*instances\.json",
        ),
        (_set("annotations", 2, "bbox", [1, 2, 3]), r"annotation 13: 'bbox' must be four finite numbers"),
        (_set("annotations", 2, "bbox", ["1", 2, 3, 4]), r"annotation 13: 'bbox' must be four"),
        (_set("annotations", 2, "bbox", [float("nan"), 2, 3, 4]), r"annotation 13: 'bbox' must be four"),
        (_set("annotations", 2, "bbox", [1e200, 2, 1e200, 4]), r"annotation 13: 'bbox' must be four"),
        (_set("annotations", 5, "segmentation", "x"), r"annotation 16: 'segmentation' is a str"),
        (_set("annotations", 5, "segmentation", [["1", "2"]]), r"annotation 16: a polygon holds a value"),
        (_set("annotations", 5, "segmentation", [[1, float("inf")]]), r"annotation 16: a polygon holds a value"),
        (_set("annotations", 5, "segmentation", [1, 2, 3]), r"annotation 16: a polygon is a int"),
        (_set("annotations", 5, "segmentation", [CROWD, [1, 2]]), r"annotation 16: 'segmentation' mixes"),
        (_set("annotations", 5, "segmentation", {"size": [1, 2]}), r"annotation 16: 'segmentation' mixes"),
        (_set("refs", 0, "ann_id", 999), r"refs\(unc\)\.p: ref 101: 'ann_id' refers to annotation 999, which"),
        (_set("refs", 0, "ann_id", [999]), r"ref 101: 'ann_id' refers to annotation 999"),
        (_set("refs", 0, "ann_id", [13, 14]), r"ref 101: .*\[13, 14\], 2 targets: this is gRefCOCO's .*data import"),
        (_set("refs", 0, "ann_id", [-1]), r"ref 101: .*\[-1\], no target: this is gRefCOCO's form"),
        (_set("refs", 0, "ann_id", []), r"ref 101: .*no target: this is gRefCOCO's form"),
        (_set("refs", 0, "image_id", 77), r"ref 101: 'image_id' refers to image 77, which .*instances\.json does not"),
        (_set("refs", 0, "image_id", 1), r"ref 101: its annotation belongs to another image"),
        (_drop("refs", 3, "split"), r"ref 103: has no 'split'"),
        (_set("refs", 3, "sentences", None), r"ref 103: 'sentences' is a NoneType, not list"),
        (_set("refs", 3, "sentences", [{"sent_id": 1}]), r"sentence 1: has no 'sent'"),
        (_set("refs", 3, "sentences", [{"sent_id": 1, "sent": 4}]), r"sentence 1: 'sent' is a int, not str"),
        (_set("refs", 3, "sentences", ["text"]), r"sentence number 4: is a str, not a dict"),
        (_set("refs", 3, "ref_id", True), r"ref True: 'ref_id' is a bool"),
        (lambda i, _: i.pop("annotations"), r"instances\.json: has no 'annotations'"),
        (lambda i, _: i.update(images={}), r"instances\.json: images are a dict, not a list"),
    ],
)
def test_what_is_wrong_is_told_with_the_file_and_the_id(tmp_path: Path, change, message: str):
    root = write_refer(tmp_path, *_broken(change))
    with pytest.raises(DataError, match=message) as caught:
        load_split("refcoco_val", root)
    assert "\n" not in str(caught.value)


def test_two_expressions_of_one_id_are_refused(tmp_path: Path):
    root = write_refer(tmp_path, *_broken(lambda _, refs: refs.append(refs[0])))
    with pytest.raises(DataError, match=r"two expressions have the id refcoco_val/101/5"):
        load_split("refcoco_val", root)


def test_a_polygon_that_cannot_be_drawn_names_its_annotation(tmp_path: Path):
    far = [[1, 2, 3, 4, 90_000, 90_000]]
    root = write_refer(tmp_path, *_broken(_set("annotations", 0, "segmentation", far)))
    split = load_split("refcoco_val", root)
    with pytest.raises(DataError, match=r"instances\.json: annotation 11: a polygon has a corner far outside"):
        split.sample("refcoco_val/100/0")


def _as_floats(instances, refs):
    for entry in instances["images"]:
        entry.update(id=float(entry["id"]), height=40.0, width=60.0)
    for ann in instances["annotations"]:
        ann.update(id=float(ann["id"]), image_id=float(ann["image_id"]), category_id=float(ann["category_id"]))


def _as_texts(instances, refs):
    for entry in instances["images"]:
        entry.update(height="40", width="60")
    for one in refs:
        one.update(image_id=str(one["image_id"]), ann_id=one["ann_id"] and str(one["ann_id"]))
    for ann in instances["annotations"]:
        ann["category_id"] = str(ann["category_id"])


def _as_lists(instances, refs):
    for one in refs:
        one.update(ann_id=one["ann_id"] and [one["ann_id"]], category_id=[1])


def _as_flat(instances, refs):
    for ann in instances["annotations"]:
        if ann["segmentation"] and isinstance(ann["segmentation"], list) and len(ann["segmentation"]) == 1:
            ann["segmentation"] = ann["segmentation"][0]


def _with_float_codes(instances, refs):
    for ann in instances["annotations"]:
        if isinstance(ann["segmentation"], dict):
            ann["segmentation"]["size"] = [40.0, "60"]
            if isinstance(ann["segmentation"]["counts"], list):
                ann["segmentation"]["counts"] = list(map(float, ann["segmentation"]["counts"]))


@pytest.mark.parametrize("change", [_as_floats, _as_texts, _as_lists, _as_flat, _with_float_codes])
@pytest.mark.parametrize("name", ["refcoco_val", "refcoco_testB"])
def test_numbers_written_otherwise_are_the_same_samples(tmp_path: Path, name: str, change):
    plain = load_split(name, write_refer(tmp_path / "plain"))
    other = load_split(name, write_refer(tmp_path / "other", *_broken(change)))
    for one, two in zip(plain, other, strict=True):
        assert two == replace(one, image_path=two.image_path)
        assert two.image_path.relative_to(tmp_path / "other") == one.image_path.relative_to(tmp_path / "plain")
        assert type(two.image_id) is type(one.image_id)


def _doubled(instances, refs):
    instances["images"].append({**instances["images"][0], "height": 77})
    instances["annotations"].append({**instances["annotations"][0], "bbox": [1, 2, 3, 4], "category_id": 99})


def _classes(instances, refs):
    of_every_kind = [1, 1.0, "1", " 1 ", True, None, [1], "nothing", 2.5, 10**30, "2", 2]
    instances["categories"].append({"id": "2", "name": "two"})
    model = instances["annotations"][0]
    instances["annotations"] += [{**model, "id": 50 + n, "category_id": c} for n, c in enumerate(of_every_kind)]


def _text_ids(instances, refs):
    for n, ann in enumerate(instances["annotations"]):
        ann["id"] = ann["id"] if n < 3 else 2**64 + n if n == 3 else f"a{ann['id']}"
    refs[:] = [one for one in refs if one["ann_id"] in (11, 12, 13)]


def _empty(instances, refs):
    instances.update(images=[], annotations=[], categories=[])
    refs.clear()


@pytest.mark.parametrize(
    "change",
    [lambda *_: None, _doubled, _classes, _text_ids, _empty, _as_floats, _as_texts, _as_flat, _with_float_codes],
)
@pytest.mark.parametrize("in_order", [False, True])
def test_a_table_read_in_pieces_is_the_table_read_whole(
    tmp_path: Path, change, in_order: bool, monkeypatch: pytest.MonkeyPatch
):
    instances, refs = _broken(change)
    root = write_refer(tmp_path, dict(sorted(instances.items(), reverse=in_order)), refs)
    files = root / "refer/refcoco/refs(unc).p", root / "refer/refcoco/instances.json"

    def refuse(*_):
        raise NotInPiecesError

    tables = [read_refer(*files)]
    monkeypatch.setattr(jsonpieces, "PIECE_BYTES", 100)
    monkeypatch.setattr(jsonpieces, "_fast_loads", None)
    tables.append(read_refer(*files))
    monkeypatch.setattr(module_of_instances, "read_in_pieces", refuse)
    *in_pieces, whole = [table.arrays() for table in [*tables, read_refer(*files)]]
    for found in in_pieces:
        assert found.keys() == whole.keys()
        for name, column in whole.items():
            assert (found[name].dtype, found[name].shape) == (column.dtype, column.shape)
            assert found[name].tobytes() == column.tobytes()


def test_a_plain_file_is_read_in_pieces_and_not_whole(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module_of_instances, "read_json", None)
    assert len(load_split("refcoco_val", root)) == 6


def test_broken_json_names_file_and_line(root: Path):
    path = root / "refer/refcoco/instances.json"
    path.write_text('{"images": [],\n "annotations": [,]}')
    with pytest.raises(DataError, match=r"instances\.json, line 2: not JSON"):
        load_split("refcoco_val", root)
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match=r"instances\.json: is text in UTF-16"):
        load_split("refcoco_val", root)
    path.write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"instances\.json: not JSON"):
        load_split("refcoco_val", root)
    path.write_text("[]")
    with pytest.raises(DataError, match="holds a list"):
        load_split("refcoco_val", root)


def test_a_missing_file_is_named_with_where_it_comes_from(tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere: no such data root .*RISBENCH_DATA.*lichengunc/refer"):
        load_split("refcoco_val", tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"refer/refcoco/refs\(unc\)\.p: no such file.*lichengunc/refer"):
        load_split("refcoco_val", tmp_path)
    write_refer(tmp_path)
    (tmp_path / "refer/refcoco/instances.json").unlink()
    with pytest.raises(DataError, match=r"instances\.json: no such file"):
        load_split("refcoco_val", tmp_path)


def test_the_data_root_of_the_environment_is_used(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RISBENCH_DATA", str(root))
    assert len(load_split("refcoco_val")) == 6


def test_tags_are_those_of_the_sentence(tmp_path: Path):
    one = sentence(1, "red cup", form="attribute", ambiguous=True)
    content = {
        "images": [image(1, SIZE)],
        "annotations": [annotation(1, 1, [1, 1, 2, 2], code_of(rectangle(SIZE, 1, 1, 3, 3)))],
    }
    root = write_refer(tmp_path, content, [ref(1, 1, 1, "val", [one, sentence(2, "cup")])])
    tagged, plain = load_split("refcoco_val", root)
    assert dict(tagged.tags) == {"form": "attribute", "ambiguous": True}
    assert dict(plain.tags) == {}
