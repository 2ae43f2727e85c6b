"""Each prediction is matched to one expression; names that contradict each other are refused."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.annotations import sentence
from helpers.brought import SPLIT, array, entries, files, iou_of, lines, pictures, split_with
from PIL import Image

from risbench import DataError, Sample, Split
from risbench.scoring.sweep import sweep

Refs = list[dict[str, Any]]


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return split_with(tmp_path / "data")


def double(refs: Refs) -> None:
    """Sentence 3 of ref 101 becomes another sentence 9: that of ref 102 has this number already."""
    refs[0]["sentences"][1]["sent_id"] = 9


def save(mask: np.ndarray, path: Path) -> None:
    Image.fromarray(mask * 255).save(path)


WAYS: dict[str, Callable[[Sample], Any]] = {
    "text": lambda sample: str(sample.sent_id),
    "leading zeros": lambda sample: f"{sample.sent_id:06d}",
    "float": lambda sample: float(sample.sent_id),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("write", [lines, array])
def test_a_number_is_a_sent_id_whatever_its_type(split: Split, tmp_path: Path, way: str, write: Callable[..., Path]):
    brought = write(tmp_path / f"masks.json{'l' * (write is lines)}", entries(split, sent_id=WAYS[way]))
    assert iou_of(brought, split, tmp_path / "run") == 1


@pytest.mark.parametrize("value", [True, 5.5, float("nan"), [9], {}])
def test_what_is_no_sent_id_is_named(split: Split, tmp_path: Path, value: Any):
    found = entries(split)
    found[0]["sent_id"] = value
    with pytest.raises(DataError, match=r"entry 0: has neither 'id' .* nor 'sent_id': its sent_id is"):
        iou_of(array(tmp_path / "masks.json", found), split, tmp_path / "run")


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ({"id": 4}, "a number as id only counts the entries"),
        ({"ref_id": 101}, "names an object, not an expression about it"),
        ({"image_id": 2, "category_id": 1, "score": 0.5}, "an image_id names an image, not an expression"),
        ({"sent_id": None}, r"nor 'sent_id'$"),
    ],
)
def test_an_entry_without_a_name_is_told_what_it_lacks(split: Split, tmp_path: Path, entry: Any, cause: str):
    found = [{**entry, "segmentation": line["segmentation"]} for line in entries(split)]
    with pytest.raises(DataError, match=cause):
        iou_of(array(tmp_path / "masks.json", found), split, tmp_path / "run")


@pytest.mark.parametrize("write", [lines, array])
@pytest.mark.parametrize("ident", ["id", "text"])
def test_two_names_in_one_entry_that_disagree_are_refused(
    split: Split, tmp_path: Path, write: Callable[..., Path], ident: str
):
    make = {"id": lambda sample: sample.id, "text": lambda sample: str(sample.sent_id)}[ident]
    path = tmp_path / f"masks.json{'l' * (write is lines)}"
    assert iou_of(write(path, entries(split, id=make)), split, tmp_path / "agree") == 1
    found = entries(split, id=make)
    found[0]["id"], found[1]["id"] = found[1]["id"], found[0]["id"]
    with pytest.raises(DataError, match=r"two names that disagree: id '.*' and sent_id"):
        iou_of(write(path, found), split, tmp_path / "run")


@pytest.mark.parametrize("start", [0, 1, 1000])
def test_a_running_number_beside_the_sent_id_is_no_name(split: Split, tmp_path: Path, start: int):
    found = [{**line, "id": start + place} for place, line in enumerate(entries(split))]
    assert iou_of(array(tmp_path / "masks.json", found), split, tmp_path / "run") == 1


def test_numbers_that_are_sent_ids_but_for_one_are_refused(split: Split, tmp_path: Path):
    found = entries(split, id=lambda sample: sample.sent_id)
    found[2]["id"] = 77
    with pytest.raises(DataError, match="two names that disagree: id 77 and sent_id"):
        iou_of(array(tmp_path / "masks.json", found), split, tmp_path / "run")


@pytest.mark.parametrize("key", ["image_id", "ref_id"])
def test_an_entry_about_another_image_or_object_than_its_name_is_refused(split: Split, tmp_path: Path, key: str):
    found = entries(split, **{key: lambda sample: getattr(sample, key)})
    assert iou_of(array(tmp_path / "masks.json", found), split, tmp_path / "right") == 1
    other = next(entry[key] for entry in found if entry[key] != found[0][key])
    found[0][key] = other
    with pytest.raises(DataError, match=f"its entry says {key} {other}: 1 entry disagrees"):
        iou_of(array(tmp_path / "masks.json", found), split, tmp_path / "run")
    own = [{**entry, key: 7000 + place} for place, entry in enumerate(found)]
    assert iou_of(array(tmp_path / "own.json", own), split, tmp_path / "own") == 1


def test_a_key_that_is_twice_in_one_object_is_refused(split: Split, tmp_path: Path):
    path = lines(tmp_path / "masks.jsonl", entries(split))
    path.write_text(path.read_text().replace('{"sent_id": 9,', '{"sent_id": 3, "sent_id": 9,'))
    with pytest.raises(DataError, match="the key 'sent_id' is there twice in one object"):
        iou_of(path, split, tmp_path / "run")
    whole = tmp_path / "masks.json"
    whole.write_text("[" + ",".join(path.read_text().splitlines()) + "]")
    with pytest.raises(DataError, match="the key 'sent_id' is there twice in one object"):
        iou_of(whole, split, tmp_path / "run")


def test_a_sent_id_of_two_expressions_is_refused_wherever_it_stands(tmp_path: Path):
    split = split_with(tmp_path / "data", double)
    reason = rf"sent_id 9 names 2 expressions: {SPLIT}/101/9, {SPLIT}/102/9; give ids"
    with pytest.raises(DataError, match=reason):
        iou_of(pictures(tmp_path / "png", split), split, tmp_path / "run")
    one = [entry for entry in entries(split) if entry["sent_id"] != 9] + [entries(split)[-1]]
    for write, name in ((lines, "masks.jsonl"), (array, "masks.json")):
        found = [{"sent_id": 9, "segmentation": one[0]["segmentation"]}, *one[:-1]]
        with pytest.raises(DataError, match=reason):
            iou_of(write(tmp_path / name, found), split, tmp_path / "run", allow_missing=True)
    heats = files(
        tmp_path / "npy", split, lambda mask, path: np.save(path, mask * 1.0), lambda s: str(s.sent_id), ".npy"
    )
    with pytest.raises(DataError, match=reason):
        sweep(heats, split)


def test_ids_tell_expressions_of_one_sent_id_apart(tmp_path: Path):
    split = split_with(tmp_path / "data", double)
    found = entries(split, id=lambda sample: sample.id)
    assert iou_of(lines(tmp_path / "masks.jsonl", found), split, tmp_path / "lines") == 1
    whole = files(tmp_path / "ids", split, save, lambda sample: sample.id, ".png")
    assert iou_of(whole, split, tmp_path / "files") == 1
    short = files(tmp_path / "refs", split, save, lambda sample: f"{sample.ref_id}/{sample.sent_id}", ".png")
    assert iou_of(short, split, tmp_path / "short") == 1


def test_ids_of_another_split_are_not_taken_by_their_sent_ids(split: Split, tmp_path: Path):
    other = entries(split, id=lambda sample: sample.id.replace("val", "testA"))
    with pytest.raises(DataError, match="these ids are of the split refcoco_testA"):
        iou_of(lines(tmp_path / "masks.jsonl", other), split, tmp_path / "run")
    folder = files(tmp_path / "png", split, save, lambda sample: sample.id.replace("val", "testA"), ".png")
    with pytest.raises(DataError, match="these ids are of the split refcoco_testA"):
        iou_of(folder, split, tmp_path / "run")


@pytest.mark.parametrize("ids", ["ref_id", "image_id"])
def test_files_named_by_objects_or_images_are_recognised(split: Split, tmp_path: Path, ids: str):
    folder = files(tmp_path / "png", split, save, lambda sample: str(getattr(sample, ids)), ".png")
    with pytest.raises(DataError, match=f"the names are {ids}s: each expression about an"):
        iou_of(folder, split, tmp_path / "run")


def test_a_folder_for_each_image_is_read_and_held_to_its_images(split: Split, tmp_path: Path):
    folder = files(tmp_path / "png", split, save, lambda sample: f"{sample.image_id}/{sample.sent_id}", ".png")
    assert iou_of(folder, split, tmp_path / "run") == 1
    (folder / "1" / "9.png").write_bytes((folder / "2" / "9.png").read_bytes())
    (folder / "2" / "9.png").unlink()
    with pytest.raises(DataError, match="1/9 lies in a folder of another image than its own, 2"):
        iou_of(folder, split, tmp_path / "again")


def test_two_files_of_one_expression_are_refused(split: Split, tmp_path: Path):
    for other, reason in (
        ("009.png", f"two predictions for {SPLIT}/102/9: by sent_id 009 and by sent_id 9"),
        ("9.PNG", "two files for 9: 9.PNG and 9.png"),
    ):
        folder = pictures(tmp_path / other, split)
        shutil.copy(folder / "9.png", folder / other)
        with pytest.raises(DataError, match=reason):
            iou_of(folder, split, tmp_path / "run")


def test_letters_with_accents_are_one_name_in_both_forms(tmp_path: Path):
    def named(refs: Refs) -> None:
        refs[2]["sentences"] = [sentence("café", "the crowd")]  # type: ignore[arg-type]

    split = split_with(tmp_path / "data", named)
    for form in ("NFC", "NFD"):
        folder = files(
            tmp_path / form, split, save, lambda s, form=form: unicodedata.normalize(form, str(s.sent_id)), ".png"
        )
        assert iou_of(folder, split, tmp_path / f"run {form}") == 1


def test_text_ids_with_leading_zeros_stay_apart_from_numbers(tmp_path: Path):
    def named(refs: Refs) -> None:
        refs[2]["sentences"] = [sentence("0010", "the crowd")]  # type: ignore[arg-type]

    split = split_with(tmp_path / "data", named)
    assert {"0010", 10} <= {sample.sent_id for sample in split}
    assert iou_of(lines(tmp_path / "masks.jsonl", entries(split)), split, tmp_path / "run") == 1
