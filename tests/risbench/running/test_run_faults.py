"""Whatever goes wrong in a run is named with its place and next step, what was done stays, and no count shrinks."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.folders import content_of, costs_of
from helpers.small import small_split, write_small
from made_up.methods import Batches, Heats, Masks, Turning
from PIL import Image

import risbench
from risbench import DataError, MaskError, RisbenchError, Run, Settings, Split, UsageError, evaluate
from risbench.io import plainfiles
from risbench.results import jsonlines

_MAIN = "from risbench.cli import main; main()"


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return small_split(tmp_path / "data", 8)


def _ids(split: Split, number: int) -> list[str]:
    """The ids of the samples of the n-th image."""
    return [sample.id for sample in list(split.by_image())[number]]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def _resize(path: Path) -> None:
    Image.new("RGB", (5, 5)).save(path)


_BAD = {
    "missing": (Path.unlink, "no such image"),
    "truncated": (_truncate, "broken or truncated image"),
    "text": (lambda path: path.write_text("not an image"), "not an image that can be read"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "another size": (_resize, "is 5x5 .height x width., its annotation says"),
}


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("kind", _BAD)
def test_an_image_that_cannot_be_read_stops_the_run_with_its_sample(split, tmp_path: Path, kind: str, batch: int):
    spoil, result = _BAD[kind]
    spoil(list(split.by_image())[3][0].image_path)
    with pytest.raises(DataError, match=result) as raised:
        evaluate(Batches(), split, out=tmp_path / "run", settings=Settings(batch))
    assert str(raised.value).startswith(_ids(split, 3)[0])
    assert "--skip-bad records such samples as missing" in str(raised.value)
    rows = (tmp_path / "run" / "rows.jsonl").read_bytes().splitlines()
    assert {json.loads(row)["image_id"] for row in rows} == set(split.images[:3])  # all that came before it


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("kind", _BAD)
def test_a_bad_image_that_is_skipped_is_missing_and_still_counted(split, tmp_path: Path, kind: str, batch: int):
    good = evaluate(Batches(), split, out=tmp_path / "good")
    bad = _ids(split, 3)
    _BAD[kind][0](list(split.by_image())[3][0].image_path)
    run = evaluate(Batches(), split, out=tmp_path / "bad", settings=Settings(batch, skip_bad=True))
    assert run.summary["count"] == len(split)
    assert run.summary["missing"] == len(bad)
    assert [row.id for row in run.rows() if row.missing] == [name for name in split.ids if name in bad]
    assert all(row.intersection == 0 and row.union > 0 for row in run.rows() if row.missing)
    assert {name for name, line in run.masks() if line.get("missing")} == set(bad)
    for metric in ("mIoU", "PointIt", "Accbox"):
        assert run.summary["metrics"][metric]["count"] == len(split)
    assert [r.intersection for r in run.rows() if r.id not in bad] == [
        r.intersection for r in good.rows() if r.id not in bad
    ]


def test_a_bad_image_can_be_put_right_and_the_run_goes_on(split: Split, tmp_path: Path):
    whole = evaluate(Heats(), split, out=tmp_path / "whole")
    image = list(split.by_image())[3][0].image_path
    content = image.read_bytes()
    _truncate(image)
    with pytest.raises(DataError):
        evaluate(Heats(), split, out=tmp_path / "run")
    image.write_bytes(content)
    assert content_of(evaluate(Heats(), split, out=tmp_path / "run").path) == content_of(whole.path)


def test_an_image_that_was_passed_over_is_tried_again(split: Split, tmp_path: Path):
    whole = evaluate(Heats(), split, out=tmp_path / "whole")
    image = list(split.by_image())[3][0].image_path
    content = image.read_bytes()
    _truncate(image)
    skip = Settings(skip_bad=True)
    first = content_of(evaluate(Heats(), split, out=tmp_path / "run", settings=skip).path)
    costs = costs_of(tmp_path / "run")
    method = Heats()
    assert content_of(evaluate(method, split, out=tmp_path / "run", settings=skip).path) == first
    assert (method.requests, costs_of(tmp_path / "run")) == ([], costs)
    image.write_bytes(content)
    method = Heats()
    assert content_of(evaluate(method, split, out=tmp_path / "run", settings=skip).path) == content_of(whole.path)
    assert len(method.requests) == 1


def test_a_threshold_for_a_method_that_brings_masks_is_refused_and_leaves_nothing(split: Split, tmp_path: Path):
    result = "--threshold cuts heats, but this method returns masks: leave --threshold out"
    with pytest.raises(UsageError, match=result):
        evaluate(Masks(), split, out=tmp_path / "run", threshold=0.3)
    assert not (tmp_path / "run").exists()
    evaluate(Heats(), split, out=tmp_path / "run", threshold=0.3)


def _raise(_: Any) -> Any:
    raise ArithmeticError("the method broke")


def _with(change: Callable[[np.ndarray], Any]) -> Callable[[Any], Any]:
    """Changes the last heat of an answer."""
    return lambda answer: [*answer[:-1], change(answer[-1].copy())]


def _poked(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(heat: np.ndarray) -> np.ndarray:
        heat[1, 2] = value
        return heat

    return change


_WRONG = {
    "nan": (_with(_poked(np.nan)), "its heat holds NaN"),
    "infinite": (_with(_poked(np.inf)), "its heat holds infinite values"),
    "no heat": (_with(lambda _: None), "is NoneType; give a bool array"),
    "whole numbers": (_with(lambda heat: heat.astype(int)), "a mask is bool, a heat is float"),
    "a mask of another size": (_with(lambda _: np.ones((3, 4), bool)), "its mask is 3x4, the image is"),
    "a grey mask": (_with(lambda h: SimpleNamespace(mask=h)), "its mask is float32; a mask is bool"),
    "three dimensions": (_with(lambda heat: heat[None]), r"its heat has shape \(1, 5, 7\)"),
    "nothing at all": (_with(lambda _: SimpleNamespace(mask=None, heat=None)), "has neither mask nor heat"),
    "half a point": (_with(lambda h: SimpleNamespace(heat=h, point=(3,))), r"its point is \(3,\)"),
    "odd boxes": (_with(lambda h: SimpleNamespace(heat=h, boxes=[[1, 2, 3]])), "its boxes have shape"),
}


@pytest.mark.parametrize("kind", _WRONG)
def test_a_prediction_that_cannot_be_scored_names_its_sample(split: Split, tmp_path: Path, kind: str):
    turn, result = _WRONG[kind]
    with pytest.raises(MaskError, match=result) as raised:
        evaluate(Turning(4, turn), split, out=tmp_path / "run")
    assert f"prediction for {_ids(split, 3)[-1]}: " in str(raised.value)
    _goes_on(split, tmp_path / "run", 3)


def _goes_on(split: Split, out: Path, least: int) -> None:
    """What was done is there, and the rest can be."""
    assert not (out / "summary.json").exists()
    rows = (out / "rows.jsonl").read_bytes().splitlines()
    assert {json.loads(row)["image_id"] for row in rows} >= set(split.images[:least])
    method = Turning(0, lambda answer: answer)
    run = evaluate(method, split, out=out)
    assert len(method.requests) <= len(split.images) - least
    assert content_of(run.path) == content_of(evaluate(Heats(), split, out=out.parent / "whole", name="Turning").path)


_COUNTS = {
    "too few": (lambda answer: answer[:-1], r"predict returned \d predictions for \d texts of image"),
    "too many": (lambda answer: [*answer, answer[0]], r"predict returned \d predictions for \d texts of image"),
    "no list": (lambda _: None, "predict must return one prediction per text, got NoneType"),
    "a generator": (lambda answer: (each for each in answer), "one prediction per text, got generator"),
}


@pytest.mark.parametrize("kind", _COUNTS)
def test_another_number_of_predictions_than_texts_is_refused(split: Split, tmp_path: Path, kind: str):
    turn, result = _COUNTS[kind]
    with pytest.raises(MaskError, match=result):
        evaluate(Turning(4, turn), split, out=tmp_path / "run", settings=Settings(skip_bad=True))
    _goes_on(split, tmp_path / "run", 3)


@pytest.mark.parametrize(
    ("turn", "result"),
    [
        (lambda many: many[:-1], r"predict_many returned 2 answers for 3 images, the first being .*\.png"),
        (lambda many: [*many, many[0]], "predict_many returned 4 answers for 3 images"),
        (lambda many: iter(many), "predict_many returned list_iterator for 3 images"),
        (lambda _: None, "predict_many returned NoneType for 3 images"),
        (lambda many: [None, *many[1:]], "predict must return one prediction per text, got NoneType"),
    ],
)
def test_another_number_of_answers_than_images_is_refused(split: Split, tmp_path: Path, turn: Any, result: str):
    class Wrong(Batches):
        def predict_many(self, images: Any, texts: Any) -> Any:
            return turn(super().predict_many(images, texts))

    with pytest.raises(RisbenchError, match=result):
        evaluate(Wrong(), split, out=tmp_path / "run", settings=Settings(3, skip_bad=True))


def test_a_method_that_fails_keeps_what_was_done_and_names_the_image(split: Split, tmp_path: Path):
    with pytest.raises(ArithmeticError, match="the method broke") as raised:
        evaluate(Turning(4, _raise), split, out=tmp_path / "run")
    (note,) = raised.value.__notes__
    assert _ids(split, 3)[0] in note
    assert str(list(split.by_image())[3][0].image_path) in note
    assert [cost["images"] for cost in costs_of(tmp_path / "run")] == [3]
    _goes_on(split, tmp_path / "run", 3)


def test_a_failing_batch_names_all_its_images(split: Split, tmp_path: Path):
    class Failing(Batches):
        def predict_many(self, images: Any, texts: Any) -> Any:
            raise ArithmeticError("the method broke")

    with pytest.raises(ArithmeticError) as raised:
        evaluate(Failing(), split, out=tmp_path / "run", settings=Settings(3))
    assert all(_ids(split, number)[0] in raised.value.__notes__[0] for number in range(3))


def test_heats_too_large_for_half_precision_are_refused_by_name(split: Split, tmp_path: Path):
    large = Turning(3, _with(_poked(1e6)))
    result = rf"prediction for {_ids(split, 2)[-1]}: its numbers do not fit float16"
    with pytest.raises(MaskError, match=result):
        evaluate(large, split, out=tmp_path / "run", settings=Settings(save_heat=True, heat_dtype="float16"))
    assert not [file for file in (tmp_path / "run" / "heats").iterdir() if file.name.startswith(".")]


def test_a_full_disk_is_said_and_the_run_goes_on_after_room_was_made(split: Split, tmp_path: Path):
    """In a process of its own, because the size that files may have is the process's."""
    whole = evaluate(Masks(), split, out=tmp_path / "whole", settings=Settings(save_heat=True))
    sizes = [(whole.path / name).stat().st_size for name in ("header.json", "masks.jsonl")]
    limit = sizes[0] + 700
    assert limit < sizes[1]
    code = (
        "import resource, sys; from pathlib import Path; from made_up.methods import Masks\n"
        "from risbench import RisbenchError, Settings, evaluate, load_split\n"
        "split = load_split('refcoco_val', sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))\n"
        "try:\n    evaluate(Masks(), split, out=Path(sys.argv[2]), settings=Settings(save_heat=True))\n"
        "except RisbenchError as error:\n    print(error)\n"
    )
    places = (Path(__file__).parents[2], Path(risbench.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "data"), str(tmp_path / "run"), str(limit)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert "cannot be written: File too large; what was written before is whole: make room and give" in done.stdout
    for name in ("rows.jsonl", "masks.jsonl"):
        assert (tmp_path / "run" / name).read_bytes().endswith(b"\n")
    rows = (tmp_path / "run" / "rows.jsonl").read_bytes().count(b"\n")
    assert 0 < rows < len(split)
    evaluate(Masks(), split, out=tmp_path / "run", settings=Settings(save_heat=True))
    assert content_of(tmp_path / "run") == content_of(whole.path)


@pytest.mark.parametrize("name", ["rows.jsonl", "masks.jsonl", "summary.json", "header.json", "cost.json", ".npz"])
def test_any_file_that_cannot_be_written_is_named_and_the_run_goes_on(split: Split, tmp_path: Path, name: str):
    """The disk has room for this file at the third write only."""
    whole = evaluate(Heats(), split, out=tmp_path / "whole", settings=Settings(save_heat=True))
    writes = [0]
    original = plainfiles.open_to_write

    def full(path: Path, purpose: str) -> Any:
        if purpose in ("append", "create") and name in path.name:
            writes[0] += 1
            if name in ("summary.json", "header.json", "cost.json") or writes[0] == 3:
                raise OSError(28, "No space left on device")
        return original(path, purpose)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plainfiles, "open_to_write", full)
        with pytest.raises(RisbenchError, match="cannot be written: No space left on device") as raised:
            evaluate(Heats(), split, out=tmp_path / "run", settings=Settings(save_heat=True))
    assert name in str(raised.value)
    assert not (tmp_path / "run" / "summary.json").exists()
    evaluate(Heats(), split, out=tmp_path / "run", settings=Settings(save_heat=True))
    assert content_of(tmp_path / "run") == content_of(whole.path)


def test_a_write_that_fails_half_way_leaves_whole_lines(tmp_path: Path):
    path = tmp_path / "lines.jsonl"
    jsonlines.append(path, ['{"a": 1}'])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (14, before[1]))
        with pytest.raises(RisbenchError, match="File too large"):
            jsonlines.append(path, ['{"b": 22}', '{"c": 333}'])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b'{"a": 1}\n'
    jsonlines.append(path, ['{"d": 4}'])
    assert [line for _, line in jsonlines.read(path)] == [{"a": 1}, {"d": 4}]


def test_a_folder_that_cannot_be_made_is_named(split: Split, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RisbenchError, match="file/run: cannot be made: Not a directory"):
        evaluate(Heats(), split, out=tmp_path / "file" / "run")


def test_missing_data_are_named_without_a_traceback(tmp_path: Path):
    for words, result in (
        (("--data-root", "nowhere"), "nowhere: no such data root (needed for refcoco_val)"),
        (("--data-root", "data"), "no such image"),
    ):
        write_small(tmp_path / "data", 2)
        (tmp_path / "data" / "train2014" / "1.png").unlink()
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, "run", "--method", "full", "--split", "refcoco_val", "--out", "o", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(risbench.__file__).parents[1])},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert result in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unfinished_run_is_not_read_as_a_finished_one(split: Split, tmp_path: Path):
    with pytest.raises(ArithmeticError):
        evaluate(Turning(4, _raise), split, out=tmp_path / "run")
    with pytest.raises(DataError, match=r"is not finished \(no summary.json\): give its command again with --out"):
        Run.load(tmp_path / "run")
