"""Predictions that someone brought: every form scores as the method itself would, and what is wrong is named."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.annotations import SIZE, write_image, write_refer
from helpers.answers import Answers, every_form_for, heats_for, masks_for
from PIL import Image

from risbench import DataError, MaskError, Rules, Run, Settings, Split, UsageError, evaluate, load_split, score
from risbench.masks import encode
from risbench.metrics.rules.protocols import RULES
from risbench.results.rows import Row

SPLIT = "refcoco_val"
Masks = Mapping[str, np.ndarray]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The made-up RefCOCO, without images."""
    return write_refer(tmp_path / "data")


@pytest.fixture
def split(root: Path) -> Split:
    return load_split(SPLIT, root)


@pytest.fixture
def pictured(root: Path) -> Split:
    """The made-up RefCOCO, with images."""
    for number in (1, 2):
        write_image(root / "train2014" / f"COCO_train2014_{number:012d}.jpg", SIZE)
    return load_split(SPLIT, root)


def without_time(run: Run) -> list[Row]:
    return [Row(**{**{name: getattr(row, name) for name in Row.__slots__}, "seconds": None}) for row in run.rows()]


def assert_same_scores(one: Run, other: Run) -> None:
    assert without_time(one) == without_time(other)
    assert one.summary["metrics"] == other.summary["metrics"]
    assert one.summary["rules"] == other.summary["rules"]


# The forms


def lines(split: Split, masks: Masks, folder: Path, key: str) -> Path:
    path = folder / "masks.jsonl"
    with path.open("w") as file:
        for sample in reversed(list(split)):
            name = {"id": sample.id} if key == "id" else {"sent_id": sample.sent_id}
            file.write(json.dumps({**name, "segmentation": encode(masks[sample.id])}) + "\n\n")
    return path


def coco_array(split: Split, masks: Masks, folder: Path) -> Path:
    path = folder / "results.json"
    found = [
        {
            "id": number,  # of its own, as COCO's results often have
            "image_id": sample.image_id,
            "category_id": 1,
            "score": 0.5,
            "sent_id": sample.sent_id,
            "segmentation": encode(masks[sample.id]),
        }
        for number, sample in enumerate(split)
    ]
    path.write_text(json.dumps(found))
    return path


def pictures(split: Split, masks: Masks, folder: Path, top: int, mode: str) -> Path:
    place = folder / "masks"
    place.mkdir()
    for sample in split:
        picture = Image.fromarray(masks[sample.id].astype(np.uint8) * top)
        if mode == "P":
            picture.putpalette([0, 0, 0, 255, 0, 0] + [7] * 750)
            assert picture.mode == "P"
        elif mode == "1":
            picture = Image.fromarray(masks[sample.id])
            assert picture.mode == "1"
        picture.save(place / f"{sample.sent_id}.png")
    (place / ".DS_Store").write_text("left by a file manager")
    (place / "._5.png").write_text("left by a file manager")
    return place


FORMS: dict[str, Callable[[Split, Masks, Path], Path]] = {
    "lines by id": lambda *given: lines(*given, key="id"),
    "lines by sent_id": lambda *given: lines(*given, key="sent_id"),
    "a COCO array": coco_array,
    "pictures of 0 and 1": lambda *given: pictures(*given, top=1, mode="L"),
    "pictures of 0 and 255": lambda *given: pictures(*given, top=255, mode="L"),
    "pictures with a palette": lambda *given: pictures(*given, top=1, mode="P"),
    "pictures of one bit": lambda *given: pictures(*given, top=1, mode="1"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rules", RULES)
def test_masks_in_every_form_score_as_the_method_that_made_them(pictured: Split, tmp_path: Path, form: str, rules: str):
    masks = masks_for(pictured)
    brought = FORMS[form](pictured, masks, tmp_path)
    fresh = evaluate(Answers(masks), pictured, rules=rules, out=tmp_path / "fresh")
    found = score(brought, pictured, rules=rules, out=tmp_path / "scored")
    assert_same_scores(found, fresh)
    assert [line["segmentation"] for _, line in found.masks()] == [encode(masks[name]) for name in pictured.ids]


@pytest.mark.parametrize(
    ("size", "dtype"), [(SIZE, "float32"), ((7, 5), "float64"), ((1, 1), "float32"), ((90, 70), "float16")]
)
@pytest.mark.parametrize("rules", RULES)
def test_heats_of_any_size_score_as_the_method_that_made_them(
    pictured: Split, tmp_path: Path, size: tuple[int, int], dtype: str, rules: str
):
    heats = {name: heat.astype(dtype) for name, heat in heats_for(pictured, size).items()}
    place = tmp_path / "heats"
    place.mkdir()
    for sample in pictured:
        np.save(place / f"{sample.sent_id}.npy", heats[sample.id])
    for threshold in (None, 0.25):
        fresh = evaluate(Answers(heats), pictured, rules=rules, threshold=threshold, out=tmp_path / f"fresh{threshold}")
        found = score(place, pictured, rules=rules, threshold=threshold, out=tmp_path / f"scored{threshold}")
        assert_same_scores(found, fresh)


def test_the_result_is_a_run_folder(split: Split, tmp_path: Path):
    run = score(lines(split, masks_for(split), tmp_path, "id"), SPLIT, data_root=split.data_root, out=tmp_path / "run")
    again = Run.load(tmp_path / "run")
    assert again.summary == run.summary
    assert [row.id for row in again.rows()] == list(split.ids)
    assert [name for name, _ in again.masks()] == list(split.ids)
    assert again.summary["count"] == len(split)
    assert again.header["method"]["name"] == "masks"
    assert again.header["arguments"]["predictions"] == "lines of masks"
    assert again.header["provenance"][0]["predictions"] == str(tmp_path / "masks.jsonl")
    assert again.cost() == []


def test_without_a_folder_the_run_lies_below_runs(split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    brought = lines(split, masks_for(split), tmp_path, "id")
    run = score(brought, split)
    assert run.path.parent == Path("runs") / SPLIT / "masks"
    card = tmp_path / "card.toml"
    card.write_text('name = "../../ours"')
    assert score(brought, split, card=card).path.resolve().is_relative_to(tmp_path / "runs" / SPLIT)


# What may come along


def test_points_and_boxes_of_a_line_are_scored(split: Split, tmp_path: Path):
    path = tmp_path / "masks.jsonl"
    with path.open("w") as file:
        for number, sample in enumerate(split):
            line: dict[str, Any] = {"id": sample.id, "segmentation": encode(np.zeros(sample.size, bool))}
            assert sample.box is not None
            x0, y0, x1, y1 = sample.box
            line["point"] = [(x0 + x1) / 2, (y0 + y1) / 2] if number % 2 else [-5, -5]
            line["boxes"] = [[0, 0, 1, 1], list(sample.box)] if number % 3 else [list(sample.box)]
            file.write(json.dumps(line) + "\n")
    run = score(path, split, rules="clean", out=tmp_path / "run")
    assert [row.hit_box for row in run.rows()] == [bool(number % 2) for number in range(len(split))]
    # Only the first box counts.
    assert [row.box_iou == 1 for row in run.rows()] == [number % 3 == 0 for number in range(len(split))]
    assert run.summary["metrics"]["PointIt"]["count"] == len(split)
    kept = [line for _, line in run.masks()]
    assert kept[0]["point"] == [-5, -5]
    assert kept[1]["boxes"][0] == [0, 0, 1, 1]


def test_masks_alone_do_not_point(split: Split, tmp_path: Path):
    run = score(lines(split, masks_for(split), tmp_path, "id"), split, out=tmp_path / "run")
    for name in ("PointIt", "PointM"):
        assert run.summary["metrics"][name] == {"value": None, "low": None, "high": None, "count": 0}
    assert run.summary["metrics"]["Accbox"]["count"] == len(split)


def test_a_card_is_kept_and_its_threshold_used(split: Split, tmp_path: Path):
    place = tmp_path / "heats"
    place.mkdir()
    heats = heats_for(split)
    for sample in split:
        np.save(place / f"{sample.sent_id}.npy", heats[sample.id])
    card = tmp_path / "card.toml"
    card.write_text('name = "Ours [v2]"\nsupervision = "text"\nthreshold = -0.25\nreads = "box"\n')
    run = score(place, split, rules="clean", card=card, out=tmp_path / "run")
    assert run.summary["method"] == "Ours [v2]"
    assert run.header["method"]["card"] == {"supervision": "text", "threshold": -0.25, "reads": ["box"]}
    assert run.summary["rules"]["threshold"] == -0.25
    bare = score(place, split, rules=Rules("clean", -0.25), out=tmp_path / "bare")
    assert without_time(bare) == without_time(run)
    assert (
        score(place, split, rules="clean", card=card, threshold=0.1, out=tmp_path / "other").summary["rules"][
            "threshold"
        ]
        == 0.1
    )
    assert score(place, split, rules="tris", card=card, out=tmp_path / "tris").summary["rules"]["threshold"] is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name = ", "not TOML"),
        ("name = 5", "name is a text, not 5"),
        ('name = " "', "name is a text"),
        ("paper = 2023-10-01", "write dates and times as texts"),
    ],
)
def test_an_odd_card_is_refused(split: Split, tmp_path: Path, text: str, reason: str):
    card = tmp_path / "card.toml"
    card.write_text(text)
    with pytest.raises(DataError, match=reason):
        score(lines(split, masks_for(split), tmp_path, "id"), split, card=card, out=tmp_path / "run")
    with pytest.raises(DataError, match="cannot be read"):
        score(tmp_path / "masks.jsonl", split, card=tmp_path / "none.toml", out=tmp_path / "run")


def test_a_threshold_that_is_no_number_is_refused(split: Split, tmp_path: Path):
    card = tmp_path / "card.toml"
    card.write_text('threshold = "0.5"')
    with pytest.raises(UsageError, match=r"threshold of a method's card must be a number, not '0\.5'"):
        score(lines(split, masks_for(split), tmp_path, "id"), split, rules="clean", card=card, out=tmp_path / "run")


# Pictures and arrays that are not what they should be


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


# Missing, doubled, unknown


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


# Runs scored again


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("under", RULES)
def test_a_run_with_heats_scored_again_equals_a_fresh_run(pictured: Split, tmp_path: Path, rules: str, under: str):
    method = Answers(every_form_for(pictured))
    evaluate(method, pictured, rules=rules, out=tmp_path / "run", settings=Settings(save_heat=True))
    fresh = evaluate(method, pictured, rules=under, out=tmp_path / "fresh")
    again = score(tmp_path / "run", pictured, rules=under, out=tmp_path / "again")
    assert_same_scores(again, fresh)
    assert list(again.masks()) == list(fresh.masks())
    assert again.header["method"] == {**fresh.header["method"], "entry_point": None}


@pytest.mark.parametrize("rules", RULES)
def test_a_run_with_heats_is_cut_elsewhere_with_a_threshold(pictured: Split, tmp_path: Path, rules: str):
    method = Answers(heats_for(pictured))
    evaluate(method, pictured, out=tmp_path / "run", settings=Settings(save_heat=True))
    fresh = evaluate(method, pictured, rules=rules, threshold=0.3, out=tmp_path / "fresh")
    again = score(tmp_path / "run", pictured, rules=rules, threshold=0.3, out=tmp_path / "again")
    assert_same_scores(again, fresh)
    assert again.summary["rules"]["threshold"] == 0.3


def test_a_threshold_is_refused_where_the_method_made_its_masks_itself(pictured: Split, tmp_path: Path):
    from risbench import Prediction

    masks, heats = masks_for(pictured), heats_for(pictured)
    both = {name: Prediction(mask=masks[name], heat=heats[name]) for name in masks}
    evaluate(Answers(both), pictured, out=tmp_path / "run", settings=Settings(save_heat=True))
    with pytest.raises(UsageError, match="was made by the method itself: leave --threshold out"):
        score(tmp_path / "run", pictured, threshold=0.3, out=tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_method_with_a_mask_of_its_own_is_scored_again_by_that_mask(pictured: Split, tmp_path: Path):
    from risbench import Prediction

    masks, heats = masks_for(pictured), heats_for(pictured)
    both = {name: Prediction(mask=masks[name], heat=heats[name]) for name in masks}
    evaluate(Answers(both), pictured, out=tmp_path / "run", settings=Settings(save_heat=True))
    again = score(tmp_path / "run", pictured, rules="clean", out=tmp_path / "again")
    alone = evaluate(Answers(masks), pictured, rules="clean", out=tmp_path / "alone")
    for name in ("mIoU", "oIoU", "Accbox"):
        assert again.summary["metrics"][name] == alone.summary["metrics"][name]
    assert again.summary["metrics"]["PointIt"]["count"] == len(pictured)


@pytest.mark.parametrize("rules", ["tris", "clean"])
@pytest.mark.parametrize("under", ["tris", "clean"])
def test_a_run_without_heats_is_scored_again_from_its_masks(pictured: Split, tmp_path: Path, rules: str, under: str):
    masks = masks_for(pictured)
    evaluate(Answers(masks), pictured, rules=rules, out=tmp_path / "run")
    fresh = evaluate(Answers(masks), pictured, rules=under, out=tmp_path / "fresh")
    assert_same_scores(score(tmp_path / "run", pictured, rules=under, out=tmp_path / "again"), fresh)


def test_a_lavt_run_scored_again_under_lavt_is_the_same(pictured: Split, tmp_path: Path):
    for name, answers in (
        ("heats", heats_for(pictured)),
        ("masks", masks_for(pictured)),
        ("all", every_form_for(pictured)),
    ):
        run = evaluate(Answers(answers), pictured, rules="lavt", out=tmp_path / name)
        again = score(tmp_path / name, pictured, rules="lavt", out=tmp_path / f"{name} again")
        assert_same_scores(again, run)


def test_masks_that_lavt_cut_are_refused_under_other_rules(pictured: Split, tmp_path: Path):
    evaluate(Answers(heats_for(pictured)), pictured, rules="lavt", out=tmp_path / "run")
    for brought in (tmp_path / "run", tmp_path / "run" / "masks.jsonl"):
        with pytest.raises(UsageError, match=r"masks that the rules lavt cut .* run the method again with --save-heat"):
            score(brought, pictured, rules="tris", out=tmp_path / "again")
    # Masks that the method brought itself are at the image's size, and fine.
    masks = masks_for(pictured)
    evaluate(Answers(masks), pictured, rules="lavt", out=tmp_path / "own")
    fresh = evaluate(Answers(masks), pictured, out=tmp_path / "fresh")
    assert_same_scores(score(tmp_path / "own", pictured, rules="tris", out=tmp_path / "own again"), fresh)


@pytest.mark.parametrize("how", ["threshold", "rules"])
def test_a_threshold_for_masks_is_refused(pictured: Split, tmp_path: Path, how: str):
    given: dict[str, Any] = {"threshold": 0.5} if how == "threshold" else {"rules": Rules("tris", 0.5)}
    evaluate(Answers(heats_for(pictured)), pictured, out=tmp_path / "run")
    for brought in (tmp_path / "run", lines(pictured, masks_for(pictured), tmp_path, "id")):
        with pytest.raises(UsageError, match=r"--threshold cuts heats, but .* holds masks"):
            score(brought, pictured, out=tmp_path / "again", **given)


def test_rules_and_a_threshold_beside_them_are_both_heard(pictured: Split, tmp_path: Path):
    method = Answers(heats_for(pictured))
    named = evaluate(method, pictured, rules="clean", threshold=0.3, out=tmp_path / "named")
    given = evaluate(method, pictured, rules=Rules("clean"), threshold=0.3, out=tmp_path / "given")
    assert_same_scores(named, given)
    assert given.summary["rules"]["threshold"] == 0.3


def test_a_limited_run_is_scored_again_over_its_images(pictured: Split, tmp_path: Path):
    method = Answers(heats_for(pictured))
    first = evaluate(method, pictured, limit=1, out=tmp_path / "run", settings=Settings(save_heat=True))
    again = score(tmp_path / "run", pictured, out=tmp_path / "again")
    assert_same_scores(again, first)
    assert again.summary["partial"]
    assert again.header["limit"] == 1


def test_a_run_on_another_split_or_copy_is_refused(pictured: Split, tmp_path: Path):
    evaluate(Answers(masks_for(pictured)), pictured, out=tmp_path / "run")
    with pytest.raises(UsageError, match=f"was run on {SPLIT}, or on another copy of refcoco_testA"):
        score(tmp_path / "run", "refcoco_testA", data_root=pictured.data_root, out=tmp_path / "again")
    instances = pictured.data_root / "refer" / "refcoco" / "instances.json"
    instances.write_text(instances.read_text() + " ")
    with pytest.raises(UsageError, match="another copy"):
        score(tmp_path / "run", SPLIT, data_root=pictured.data_root, out=tmp_path / "again")


def test_a_run_is_not_scored_into_itself(pictured: Split, tmp_path: Path):
    run = evaluate(Answers(masks_for(pictured)), pictured, out=tmp_path / "run")
    with pytest.raises(UsageError, match="holds the predictions: give another --out"):
        score(tmp_path / "run", pictured, out=tmp_path / "." / "run")
    assert Run.load(tmp_path / "run").summary == run.summary


def test_an_unfinished_run_is_refused(pictured: Split, tmp_path: Path):
    evaluate(Answers(masks_for(pictured)), pictured, out=tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(DataError, match="is not finished"):
        score(tmp_path / "run", pictured, out=tmp_path / "again")


@pytest.mark.parametrize(
    ("content", "reason"),
    [("[]", "schema None"), ('{"schema": 99}', "schema 99"), ('{"schema": 1}', "method is absent"), ("{", "not JSON")],
)
@pytest.mark.parametrize("file", ["header.json", "summary.json"])
def test_a_broken_run_folder_is_refused(pictured: Split, tmp_path: Path, file: str, content: str, reason: str):
    evaluate(Answers(masks_for(pictured)), pictured, out=tmp_path / "run")
    (tmp_path / "run" / file).write_text(content)
    with pytest.raises(Exception, match=reason) as caught:
        score(tmp_path / "run", pictured, out=tmp_path / "again")
    assert file in str(caught.value)


@pytest.mark.parametrize("how", ["removed", "broken", "emptied", "no archive"])
def test_a_lost_heat_is_said_and_not_replaced_by_the_mask_cut_from_it(pictured: Split, tmp_path: Path, how: str):
    evaluate(Answers(heats_for(pictured)), pictured, out=tmp_path / "run", settings=Settings(save_heat=True))
    file = tmp_path / "run" / "heats" / "1.npz"
    if how == "removed":
        file.unlink()
    elif how == "broken":
        file.write_bytes(file.read_bytes()[:100])
    elif how == "no archive":
        with file.open("wb") as stream:
            np.save(stream, np.ones(3))
    else:
        np.savez(file)
    with pytest.raises(DataError, match=r"1\.npz"):
        score(tmp_path / "run", pictured, rules="clean", out=tmp_path / "again")


def test_heats_kept_in_half_precision_are_scored_again_as_kept(pictured: Split, tmp_path: Path):
    heats = heats_for(pictured)
    kept = Settings(save_heat=True, heat_dtype="float16")
    evaluate(Answers(heats), pictured, out=tmp_path / "run", settings=kept)
    fresh = evaluate(
        Answers({name: heat.astype(np.float16) for name, heat in heats.items()}),
        pictured,
        rules="clean",
        out=tmp_path / "fresh",
    )
    assert_same_scores(score(tmp_path / "run", pictured, rules="clean", out=tmp_path / "again"), fresh)
    large = {name: heat * 1e6 for name, heat in heats.items()}
    with pytest.raises(MaskError, match=f"{SPLIT}/.*do not fit float16: give --heat-dtype float32"):
        evaluate(Answers(large), pictured, out=tmp_path / "large", settings=kept)


# What it does not need


def test_neither_torch_nor_images_are_needed(split: Split, tmp_path: Path):
    assert not split[0].image_path.exists()
    brought = lines(split, masks_for(split), tmp_path, "id")
    heats = tmp_path / "heats"
    heats.mkdir()
    for sample in split:
        np.save(heats / f"{sample.sent_id}.npy", np.ones((3, 3), np.float32))
    code = """
import sys
from risbench import score
split, root, out, *brought = sys.argv[1:]
for number, given in enumerate(brought):
    for rules in ("tris", "lavt", "clean"):
        score(given, split, rules=rules, data_root=root, out=f"{out}-{number}-{rules}")
print([name for name in ("torch", "pandas", "matplotlib") if name in sys.modules])
"""
    given = [SPLIT, split.data_root, tmp_path / "run", brought, heats]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, given)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
