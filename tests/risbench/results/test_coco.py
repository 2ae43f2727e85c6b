"""A run in COCO's form is read by COCO's own tools with the masks, boxes and numbers of the run."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.small import small_split, write_small
from made_up.methods import Heats
from pycocotools.coco import COCO

from risbench import DataError, Prediction, Run, Split, UsageError, evaluate, score
from risbench.cli import app
from risbench.masks import decode, union_of
from risbench.results.export.coco import write_coco


class Corner:
    """A mask in the corner, and nothing for every third text."""

    def predict(self, image: np.ndarray, texts: list[str]) -> list[Prediction]:
        mask = np.zeros(image.shape[:2], bool)
        mask[2:9, 3:12] = True
        return [Prediction(mask=mask if text.endswith("0") else mask & False) for text in texts]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("data"), 5)


@pytest.fixture(scope="module")
def split(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(root, 5)


@pytest.fixture(scope="module")
def runs(split: Split, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    base = tmp_path_factory.mktemp("runs")
    return [
        evaluate(Heats(), split, rules="clean", threshold=0.2, out=base / "heats", name="a/b"),
        evaluate(Corner(), split, rules="clean", out=base / "corner", name="a/b"),
    ]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# pycocotools 2.0 against NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_pycocotools_reads_the_truth_and_the_masks_of_every_run(runs: list[Run], split: Split, tmp_path: Path):
    files = write_coco(runs, tmp_path / "coco")
    assert [path.name for path in files.predictions] == ["predictions-a_b.json", "predictions-a_b-2.json"]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(files.labels))
        found = [truth.loadRes(str(path)) for path in files.predictions]
    by_id = {sample.id: sample for sample in split}
    assert {one["sample_id"] for one in truth.anns.values()} == set(by_id)
    for one in truth.anns.values():
        sample = by_id[one["sample_id"]]
        mask = union_of(sample.parts, sample.size)
        assert (truth.annToMask(one).astype(bool) == mask).all()
        assert (one["text"], one["sent_id"], one["image_id"]) == (sample.text, sample.sent_id, sample.image_id)
        assert truth.cats[one["category_id"]]["name"] == sample.category
        x, y, width, height = (int(side) for side in one["bbox"])
        assert mask[y : y + height, x : x + width].sum() == mask.sum() == one["area"] > 0
        assert Path(truth.imgs[one["image_id"]]["file_name"]).is_file()
    for run, results in zip(runs, found, strict=True):
        rows = {row.id: row for row in run.rows()}
        masks = {ident: decode(line["segmentation"]) for ident, line in run.masks()}
        assert {one["sample_id"] for one in results.anns.values()} == {ident for ident in masks if masks[ident].any()}
        for one in results.anns.values():
            assert (results.annToMask(one).astype(bool) == masks[one["sample_id"]]).all()
            assert one["iou"] == rows[one["sample_id"]].iou
    assert files.without_target == 0
    assert files.empty[1] == sum(not mask.any() for mask in masks.values()) > 0


def test_the_predictions_are_scored_as_the_run_was(runs: list[Run], split: Split, tmp_path: Path):
    files = write_coco(runs, tmp_path / "coco")
    for run, file in zip(runs, files.predictions, strict=True):
        again = score(file, split, rules="clean", out=tmp_path / file.stem, allow_missing=True)
        for one, other in zip(again.rows(), run.rows(), strict=True):
            assert (one.id, one.intersection, one.union) == (other.id, other.intersection, other.union)


def test_runs_that_do_not_belong_together_are_refused(runs: list[Run], split: Split, tmp_path: Path):
    part = evaluate(Heats(), split[:3], out=tmp_path / "part")
    with pytest.raises(UsageError, match="are of different expressions or truths"):
        write_coco([runs[0], part], tmp_path / "coco")
    with pytest.raises(UsageError, match="an export is of runs"):
        write_coco([], tmp_path / "coco")
    with pytest.raises(DataError):
        write_coco(runs, tmp_path / "coco", tmp_path / "nowhere")
    assert not (tmp_path / "coco").exists()
    assert len(_read(write_coco([part], tmp_path / "coco").labels)["annotations"]) == 3


def test_masks_of_another_size_than_the_images_are_refused(split: Split, tmp_path: Path):
    run = evaluate(Heats(), split, rules="lavt", out=tmp_path / "run")
    with pytest.raises(DataError, match=r"is 480x480, the image is .*: score the run again under rules"):
        write_coco([run], tmp_path / "coco")
    assert not (tmp_path / "coco").exists()


def test_ids_that_are_no_numbers_get_numbers(split: Split, runs: list[Run], monkeypatch: pytest.MonkeyPatch):
    from risbench.results.export import coco

    samples = [replace(sample, image_id=f"picture {sample.image_id}") for sample in split]
    ids = coco._Ids({one.image_id: one for one in samples}, [one.category for one in samples])
    record = ids.data_set(split)
    assert [image["id"] for image in record["images"]] == [1, 2, 3, 4, 5]
    assert record["images"][0]["image_id"] == samples[0].image_id
    annotation = ids.truth(samples[0], 1)
    assert annotation is not None
    assert annotation["image_id"] == 1
    assert ids.truth(replace(samples[0], parts=(), box=None), 1) is None
    boxed = ids.truth(replace(samples[0], parts=()), 1)
    assert boxed is not None
    assert "segmentation" not in boxed
    assert boxed["bbox"][:2] == list(samples[0].box or ())[:2]


def test_the_command_names_the_files_and_what_was_left_out(runs: list[Run], tmp_path: Path):
    done = CliRunner().invoke(app, ["export", *(str(run.path) for run in runs), "--out", str(tmp_path / "coco")])
    assert done.exit_code == 0, done.output
    assert [Path(line).name for line in done.stdout.splitlines()] == [
        "labels.json",
        "predictions-a_b.json",
        "predictions-a_b-2.json",
    ]
    assert "left out of" in done.stderr
    found = CliRunner().invoke(app, ["export", str(runs[0].path), "--out", str(tmp_path / "coco"), "--json"])
    assert [Path(name).name for name in json.loads(found.stdout)["files"]] == ["labels.json", "predictions-a_b.json"]
