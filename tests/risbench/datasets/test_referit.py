from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from helpers.annotations import write_image, write_referit_as_pickles, write_referit_as_refer

from risbench.datasets import Split, load_split
from risbench.datasets.annotations.referit import plain_ident
from risbench.errors import DataError


def _message(split: Split):
    return [(s.image_id, s.ref_id, s.text, s.size, s.box, s.parts) for s in split]


@pytest.mark.parametrize("texts_as_ids", [True, False])
@pytest.mark.parametrize("nested_box", [True, False])
@pytest.mark.parametrize("name", ["referit_test", "referit_test_5pct"])
def test_both_layouts_give_the_same_masks_and_boxes(tmp_path: Path, name: str, texts_as_ids: bool, nested_box: bool):
    refer = load_split(name, write_referit_as_refer(tmp_path / "a"))
    pickles = load_split(
        name, write_referit_as_pickles(tmp_path / "b", texts_as_ids=texts_as_ids, nested_box=nested_box)
    )
    assert _message(refer) == _message(pickles)
    assert all(len(sample.parts) == 2 for sample in pickles)


@pytest.mark.parametrize("write", [write_referit_as_refer, write_referit_as_pickles])
def test_5pct_leaves_out_the_object_below_5_percent_alone(tmp_path: Path, write):
    root = write(tmp_path)
    whole, large = load_split("referit_test", root), load_split("referit_test_5pct", root)
    assert {sample.ref_id for sample in whole} - {sample.ref_id for sample in large} == {1}
    assert [(s.text, s.sent_id) for s in whole if s.ref_id != 1] == [(s.text, s.sent_id) for s in large]
    assert (tuple(whole.counts), tuple(large.counts)) == ((2, 3, 5), (2, 2, 3))
    assert large[0].id == f"referit_test_5pct/2/{large[0].sent_id}"


@pytest.mark.parametrize("write", [write_referit_as_refer, write_referit_as_pickles])
@pytest.mark.parametrize(
    ("box", "kept"), [((0, 0, 50, 20), False), ((0, 0, 50, 21), True), ((0.9, 0, 50.8, 20), False)]
)
def test_exactly_5_percent_is_left_out_and_boxes_are_cut_to_whole_pixels(tmp_path: Path, write, box, kept: bool):
    objects = [(112, 2, "112_2", (20, 10, 120, 90), ["house"]), (112, 9, "112_9", tuple(map(int, box)), ["edge"])]
    root = write(tmp_path, objects)
    if write is write_referit_as_pickles and box[0]:
        path = root / "referit/annotations/test.pickle"
        whole = pickle.loads(path.read_bytes())
        whole["112"]["annotations"][1]["bbox"] = [list(box)]
        path.write_bytes(pickle.dumps(whole))
    assert ("edge" in [sample.text for sample in load_split("referit_test_5pct", root)]) is kept


def test_in_pickles_a_sentence_is_numbered_by_its_place_in_the_file(tmp_path: Path):
    root = write_referit_as_pickles(tmp_path)
    assert [sample.sent_id for sample in load_split("referit_test", root)] == [0, 1, 2, 3, 4]
    assert [sample.sent_id for sample in load_split("referit_test_5pct", root)] == [2, 3, 4]


def test_ids_written_as_numbers_become_numbers():
    assert [plain_ident(x) for x in ("112", 5, "0", "007", "1_2", "", "²", "9" * 30, None)] == [
        *(112, 5, 0, "007", "1_2", "", "²", "9" * 30, None)
    ]


def test_where_both_layouts_are_there_the_pickles_are_read_and_said_to_be(tmp_path: Path):
    write_referit_as_refer(tmp_path)
    assert [s.path.name for s in load_split("referit_test", tmp_path).sources] == ["refs(berkeley).p", "instances.json"]
    write_referit_as_pickles(tmp_path)
    assert [s.path.name for s in load_split("referit_test", tmp_path).sources] == ["test.pickle"]
    assert len(load_split("referit_val", tmp_path)) == 0  # REFER's, which has no such refs here


def test_the_pickles_have_no_val(tmp_path: Path):
    with pytest.raises(DataError, match=r"refs\(berkeley\)\.p: no such file.*have no val"):
        load_split("referit_val", write_referit_as_pickles(tmp_path))


def test_a_missing_pickle_is_named_beside_its_alternative(tmp_path: Path):
    with pytest.raises(DataError, match=r"refs\(berkeley\)\.p: no such file \(or .*test\.pickle\).*fawnliu/storage"):
        load_split("referit_test", tmp_path)


@pytest.mark.parametrize("folder", ["images/saiapr_tc-12", "saiapr_tc-12", "referit/images"])
@pytest.mark.parametrize("write", [write_referit_as_refer, write_referit_as_pickles])
def test_images_are_found_flat_and_nested(tmp_path: Path, write, folder: str):
    root = write(tmp_path)
    flat, nested = root / folder / "112.jpg", root / folder / "01/images/1019.jpg"
    write_image(flat, (100, 200))
    write_image(nested, (80, 100))
    split = load_split("referit_test", root)
    assert {sample.image_path for sample in split} == {flat, nested}


def test_images_nested_under_another_number_are_found(tmp_path: Path):
    root = write_referit_as_refer(tmp_path)
    odd = root / "images/saiapr_tc-12/37/images/1019.jpg"
    write_image(odd, (80, 100))
    assert load_split("referit_test", root)[-1].image_path == odd


def test_objects_of_an_image_are_told_once_however_many_expressions_they_have(tmp_path: Path):
    split = load_split("referit_test", write_referit_as_pickles(tmp_path))
    assert [(thing.ann_id, thing.category) for thing in split.objects(112)] == [(1, "1"), (2, "1")]


def _change(root: Path, change) -> Path:
    path = root / "referit/annotations/test.pickle"
    whole = pickle.loads(path.read_bytes())
    change(whole)
    path.write_bytes(pickle.dumps(whole))
    return root


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w["112"].pop("size"), "image 112: has no 'size'"),
        (lambda w: w["112"].update(size=(1,)), "image 112: 'size' must be"),
        (lambda w: w["112"].update(annotations=None), "image 112: 'annotations' is a NoneType"),
        (lambda w: w["112"]["annotations"].append(3), "image 112: an annotation is a int"),
        (lambda w: w["112"]["annotations"][1].pop("query"), "annotation of ref 1: has no 'query'"),
        (lambda w: w["112"]["annotations"][0].update(bbox=[[1, 2]]), "annotation of ref 1: 'bbox' must be"),
        (
            lambda w: w["112"]["annotations"][0].update(ref_id=None),
            "annotation of ref number 0: 'ref_id' is a NoneType",
        ),
        (lambda w: w["112"]["annotations"][0].update(segmentation=7), "annotation of ref 1: 'segmentation' is a int"),
        (lambda w: w.update(x=[]), "image 'x' is a list"),
        (lambda w: w["112"].update(image_id="../x"), "leads out of its folder"),
    ],
)
def test_what_is_wrong_in_a_pickle_is_told(tmp_path: Path, change, message: str):
    root = _change(write_referit_as_pickles(tmp_path), change)
    with pytest.raises(DataError, match=r"test\.pickle: .*" + message.replace("(", r"\(")):
        load_split("referit_test", root)


def test_refs_in_the_place_of_pickles_are_refused(tmp_path: Path):
    root = write_referit_as_pickles(tmp_path)
    (root / "referit/annotations/test.pickle").write_bytes(pickle.dumps([1]))
    with pytest.raises(DataError, match="holds a list, not a dict of images"):
        load_split("referit_test", root)
