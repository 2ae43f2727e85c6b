"""Predictions that cannot be scored are refused by name, and what is missing is counted."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.annotations import SIZE
from helpers.score_forms import FORMS, SPLIT, assert_same_scores, lines, pictures
from made_up.answers import Answers, masks_for
from PIL import Image

from risbench import DataError, MaskError, Run, Split, UsageError, evaluate, score
from risbench.masks import encode


@pytest.mark.parametrize(
    ("pixels", "mode", "reason"),
    [
        (np.arange(np.prod(SIZE) * 3).reshape(*SIZE, 3).astype(np.uint8), None, "this has mode RGB with colours"),
        (np.zeros((*SIZE, 4), np.uint8), None, "this has mode RGBA"),
        (np.zeros((*SIZE, 2), np.uint8), None, "this has mode LA"),
        (np.where(np.eye(*SIZE), 300, 0).astype(np.uint16), None, "values 0, 300: a mask holds"),
        (
            np.arange(np.prod(SIZE)).reshape(SIZE).astype(np.uint8),
            None,
            r"values 0, 1, 2, 3, …: .* a soft map belongs in",
        ),
        (np.where(np.eye(*SIZE), 128, 0).astype(np.uint8), None, "values 0, 128: a mask holds"),
        (np.where(np.eye(*SIZE), 255, 1).astype(np.uint8), None, "values 1, 255: a mask holds"),
        (np.where(np.eye(*SIZE), 2, 0).astype(np.uint8), "P", "values 0, 2: a mask holds"),
    ],
)
def test_a_picture_that_is_no_mask_is_refused_by_name(
    split: Split, tmp_path: Path, pixels: np.ndarray, mode: str | None, reason: str
):
    place = pictures(split, masks_for(split), tmp_path, 255, "L")
    picture = Image.fromarray(pixels)
    if mode == "P":
        picture.putpalette([0] * 768)
    picture.save(place / "9.png")
    with pytest.raises(DataError, match=reason) as caught:
        score(place, split, out=tmp_path / "run")
    assert str(caught.value).startswith(f"{place / '9.png'}: ")


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_broken_picture_is_refused_by_name(split: Split, tmp_path: Path, content: bytes | None):
    place = pictures(split, masks_for(split), tmp_path, 255, "L")
    file = place / "9.png"
    file.write_bytes(file.read_bytes()[:60] if content is None else content)
    with pytest.raises(DataError, match=r"9\.png: not a readable PNG"):
        score(place, split, out=tmp_path / "run")


class Trap:
    """Unpickled, it would leave a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def _npy(path: Path, kind: str, trap: Path) -> None:
    heat = np.ones(SIZE, np.float32)
    if kind == "pickled objects":
        np.save(path, np.array([Trap(trap)], object), allow_pickle=True)
    elif kind == "a pickle":
        path.write_bytes(pickle.dumps(Trap(trap)))
    elif kind == "an archive":
        with path.open("wb") as file:
            np.savez(file, heat)
        assert zipfile.is_zipfile(path)
    elif kind == "truncated":
        np.save(path, heat)
        path.write_bytes(path.read_bytes()[:-8])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "larger than it is":
        with path.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (4_000_000, 6_000_000)}
            np.lib.format.write_array_header_1_0(file, header)
            file.write(heat.tobytes())
    else:
        np.save(
            path, {"int": 7 * heat.astype(np.int32), "bool": heat > 0, "3-D": heat[None], "NaN": heat * np.nan}[kind]
        )


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("pickled objects", DataError, "not a readable .npy of numbers"),
        ("a pickle", DataError, "not a readable .npy of numbers"),
        ("an archive", DataError, "not a readable .npy of numbers"),
        ("truncated", DataError, "not a readable .npy of numbers"),
        ("empty", DataError, "not a readable .npy of numbers"),
        ("larger than it is", DataError, "not a readable .npy of numbers"),
        ("int", DataError, "an array of int32: values 7: a mask holds"),
        ("bool", DataError, "holds a mask, other files here hold heats: put them in two folders"),
        ("3-D", MaskError, "a heat is"),
        ("NaN", MaskError, "holds NaN"),
    ],
)
def test_an_array_that_is_no_heat_is_refused_by_name(
    split: Split, tmp_path: Path, kind: str, error: type[Exception], reason: str
):
    place, trap = tmp_path / "heats", tmp_path / "trap"
    place.mkdir()
    for sample in split:
        np.save(place / f"{sample.sent_id}.npy", np.ones((3, 3), np.float32))
    _npy(place / "9.npy", kind, trap)
    with pytest.raises(error, match=reason) as caught:
        score(place, split, out=tmp_path / "run")
    assert "9.npy" in str(caught.value) or "'9'" in str(caught.value)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON object is expected, not list"),
        ("[" * 100_000, "not JSON"),
        ('{"segmentation": {}}', "has neither 'id'"),
        ('{"id": 5, "segmentation": {}}', "has neither 'id'"),
        ('{"sent_id": 5.5, "segmentation": {}}', "has neither 'id'"),
        ('{"sent_id": 9}', "has no 'segmentation'"),
        ('{"sent_id": 9, "segmentation": [[1, 2, 3, 4, 5, 6]]}', "has no 'segmentation'"),
        ('{"sent_id": 9, "segmentation": {"size": [40, 60]}}', "'counts' must be text"),
        ('{"sent_id": 9, "segmentation": {"size": [40, 60], "counts": [5]}}', "cover 5 pixels"),
        ('{"sent_id": 9, "segmentation": {"size": [1, 5], "counts": [5]}}', "mask is 1x5, the image is 40x60"),
        ('{"sent_id": 9, "segmentation": {"size": [40, 60], "counts": [2400]}, "point": [1]}', "a point is"),
        (
            '{"sent_id": 9, "segmentation": {"size": [40, 60], "counts": [2400]}, "point": [NaN, 1]}',
            "point is not finite",
        ),
        ('{"sent_id": 9, "segmentation": {"size": [40, 60], "counts": [2400]}, "boxes": [1, 2]}', "boxes have shape"),
        ('{"sent_id": 9, "segmentation": {"size": [40, 60], "counts": [2400]}, "boxes": "x"}', "boxes are not numbers"),
    ],
)
@pytest.mark.parametrize("rules", ["tris", "lavt"])
def test_a_broken_line_is_refused_with_its_place(split: Split, tmp_path: Path, line: str, reason: str, rules: str):
    path = lines(split, masks_for(split), tmp_path, "sent_id")
    good = [text for text in path.read_text().splitlines() if text and '"sent_id": 9,' not in text]
    path.write_text("\n".join([*good, line]) + "\n")
    with pytest.raises((DataError, MaskError), match=reason) as caught:
        score(path, split, rules=rules, out=tmp_path / "run")
    assert "line 6" in str(caught.value) or "named '9'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"), [("{}", "a JSON array, this is dict"), ("[", "not JSON"), ("[5]", "entry 0: an object")]
)
def test_a_broken_array_is_refused(split: Split, tmp_path: Path, text: str, reason: str):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(DataError, match=reason):
        score(path, split, out=tmp_path / "run")


def test_what_is_in_no_known_form_is_refused(split: Split, tmp_path: Path):
    empty, both, text = tmp_path / "empty", tmp_path / "both", tmp_path / "masks.txt"
    empty.mkdir()
    both.mkdir()
    (both / "1.png").touch()
    (both / "1.npy").touch()
    text.touch()
    for path, reason in (
        (tmp_path / "none", "does not exist"),
        (empty, "holds neither"),
        (both, "holds both .png masks and .npy heats"),
        (text, "give a .jsonl or .json file"),
    ):
        with pytest.raises(UsageError, match=reason):
            score(path, split, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_missing_prediction_is_named_and_refused(split: Split, tmp_path: Path):
    for form in FORMS.values():
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        place.mkdir()
        masks = masks_for(split)
        brought = form(split, masks, place)
        if brought.is_dir():
            (brought / "9.png").unlink()
        elif brought.suffix == ".json":
            brought.write_text(json.dumps([line for line in json.loads(brought.read_text()) if line["sent_id"] != 9]))
        else:
            kept = [
                line for line in brought.read_text().splitlines() if '/9"' not in line and '"sent_id": 9,' not in line
            ]
            brought.write_text("\n".join(kept))
        with pytest.raises(
            DataError, match=rf"no prediction for 1 \({SPLIT}/102/9\) of 6 expressions; --allow-missing"
        ):
            score(brought, split, out=tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_predictions_for_other_expressions_are_named_and_refused(split: Split, tmp_path: Path):
    place = pictures(split, masks_for(split), tmp_path, 1, "L")
    for name in ("77", "0070", "x"):
        shutil.copy(place / "9.png", place / f"{name}.png")
    with pytest.raises(DataError, match=rf"{SPLIT} does not have: 3 \(0070, 77, x\); is it the right split"):
        score(place, split, out=tmp_path / "run", allow_missing=True)


def test_two_predictions_for_one_expression_are_named_and_refused(split: Split, tmp_path: Path):
    path = lines(split, masks_for(split), tmp_path, "sent_id")
    first = path.read_text().splitlines()[0]
    path.write_text(path.read_text() + first + "\n")
    with pytest.raises(DataError, match="11 is there twice"):
        score(path, split, out=tmp_path / "run")
    path.write_text(
        path.read_text().removesuffix(first + "\n") + first.replace('"sent_id": 11', f'"id": "{SPLIT}/103/11"')
    )
    with pytest.raises(DataError, match=f"two predictions for {SPLIT}/103/11: by id and by sent_id 11"):
        score(path, split, out=tmp_path / "run")
    array = tmp_path / "results.json"
    array.write_text(f"[{first}, {first}]")
    with pytest.raises(DataError, match="11 is there twice"):
        score(array, split, out=tmp_path / "run", allow_missing=True)


def test_a_mask_of_another_size_is_named_and_refused(split: Split, tmp_path: Path):
    masks = masks_for(split)
    masks[f"{SPLIT}/102/9"] = masks[f"{SPLIT}/102/9"].T
    for name, form in FORMS.items():
        place = tmp_path / name.replace(" ", "_")
        place.mkdir()
        with pytest.raises(MaskError, match=rf"prediction for {SPLIT}/102/9: its mask is 60x40, the image is 40x60"):
            score(form(split, masks, place), split, out=tmp_path / "run")


def test_a_refused_score_leaves_nothing_and_the_folder_can_be_used_again(split: Split, tmp_path: Path):
    masks = masks_for(split)
    right = masks[split.ids[-1]]
    masks[split.ids[-1]] = right.T
    out = tmp_path / "run"
    with pytest.raises(MaskError):
        score(lines(split, masks, tmp_path, "id"), split, out=out)
    assert not out.exists()
    masks[split.ids[-1]] = right
    assert score(lines(split, masks, tmp_path, "id"), split, out=out).summary["count"] == len(split)
    # Another file to the same folder would mix two results.
    masks[split.ids[0]] = ~masks[split.ids[0]]
    with pytest.raises(UsageError, match=r"holds another run: its arguments\.sha256"):
        score(lines(split, masks, tmp_path, "id"), split, out=out)
    assert Run.load(out).summary["count"] == len(split)


def test_a_missing_prediction_counts_as_an_empty_mask_when_allowed(pictured: Split, tmp_path: Path):
    masks = masks_for(pictured)
    gone = f"{SPLIT}/102/9"
    empty = {**masks, gone: np.zeros(SIZE, bool)}
    fresh = evaluate(Answers(empty), pictured, out=tmp_path / "fresh")
    place = pictures(pictured, masks, tmp_path, 1, "L")
    (place / "9.png").unlink()
    found = score(place, pictured, allow_missing=True, out=tmp_path / "run")
    assert found.summary["metrics"] == fresh.summary["metrics"]
    assert found.summary["missing"] == 1
    assert [row.id for row in found.rows() if row.missing] == [gone]
    line = dict(found.masks())[gone]
    assert line == {"id": gone, "segmentation": encode(empty[gone]), "missing": True}


@pytest.mark.parametrize("rules", ["tris", "clean"])
def test_a_missing_heat_misses_where_the_others_point(split: Split, tmp_path: Path, rules: str):
    place = tmp_path / "heats"
    place.mkdir()
    for sample in split:
        if sample.sent_id != 9:
            np.save(place / f"{sample.sent_id}.npy", np.ones((4, 4), np.float32))
    run = score(place, split, rules=rules, allow_missing=True, out=tmp_path / "run")
    gone = next(row for row in run.rows() if row.sent_id == 9)
    assert (gone.intersection, gone.hit_box, gone.hit_mask, gone.missing) == (0, None, None, True)
    hits = sum(bool(row.hit_box) for row in run.rows())
    assert run.summary["metrics"]["PointIt"]["count"] == len(split)
    assert run.summary["metrics"]["PointIt"]["value"] == pytest.approx(hits / len(split))


def test_what_a_run_recorded_as_missing_stays_missing(split: Split, tmp_path: Path):
    place = pictures(split, masks_for(split), tmp_path, 1, "L")
    (place / "9.png").unlink()
    first = score(place, split, allow_missing=True, out=tmp_path / "first")
    again = score(tmp_path / "first", split, out=tmp_path / "again")
    assert again.summary["missing"] == 1
    assert_same_scores(again, first)
