"""The inputs of a training are checked first; if one is wrong, nothing is drawn or written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.joined import made
from helpers.training import TOWERS, clip_file

from risbench.datasets import shapes
from risbench.errors import DataError, RisbenchError, UsageError
from tris_model.files.clip_file import load_clip, open_clip_file
from tris_model.files.names import FOLDER
from tris_model.tiny_clip import pictures
from tris_model.tiny_clip import train as clip_trainer
from tris_model.train import ablation, inputs, tris
from tris_model.train.recipe import read
from tris_model.train.scorers import scorer

SHIPPED = FOLDER / "shapes_clip.safetensors"


@pytest.fixture(autouse=True)
def _nothing_is_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the training drew before it looked at what it needs")

    monkeypatch.setattr(shapes, "write_split", never)
    monkeypatch.setattr(pictures, "ProcessPoolExecutor", never)
    monkeypatch.setenv("RISBENCH_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("RISBENCH_CACHE", str(tmp_path / "cache"))


def refused(work: Callable[..., object], kind: type[Exception], *words: str, out: Path, **given: Any) -> None:
    """One line with these words, and no folder."""
    with pytest.raises(kind) as caught:
        work(out=out, device="cpu", **given)
    text = str(caught.value)
    assert "\n" not in text
    assert all(word in text for word in words), text
    assert not out.exists()


def test_the_drawn_recipe_starts_from_the_shipped_clip() -> None:
    tables = read("shapes")
    assert {tables["stage1"]["start"], tables["stage1"]["scorer"], tables["stage2"]["start"]} == {"shapes"}
    assert open_clip_file("shapes")[1] == open_clip_file(SHIPPED)[1]
    assert scorer("shapes", torch.device("cpu")).side == load_clip(SHIPPED).config.image_size


def test_a_folder_called_shapes_does_not_hide_the_shipped_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes").mkdir()
    assert open_clip_file("shapes")[1].trimmed


def test_a_missing_clip_is_named_with_the_command_that_makes_one(tmp_path: Path) -> None:
    for given in ({"clip": "clip.safetensors"}, {"stage2.start": "clip.safetensors"}):
        words = ("no CLIP file clip.safetensors", inputs.CLIP_COMMAND, "clip=shapes")
        refused(tris.train, UsageError, *words, recipe="shapes", out=tmp_path / "out", **given)
    words = ("stage1.start", inputs.CLIP_COMMAND)
    refused(ablation.train, UsageError, *words, recipe="shapes", out=tmp_path / "out", clip="clip.safetensors")
    refused(
        clip_trainer.train,
        UsageError,
        "clip.start",
        "absent.pt",
        recipe="shapes",
        out=tmp_path / "out",
        start="absent.pt",
    )


def test_a_mistyped_clip_is_answered_with_the_near_name(tmp_path: Path) -> None:
    file = clip_file(tmp_path / "clip.safetensors")
    mistyped = str(file).replace("clip.safe", "clpi.safe")
    refused(tris.train, UsageError, f"did you mean {file}?", recipe="shapes", out=tmp_path / "out", clip=mistyped)
    refused(tris.train, UsageError, "did you mean shapes?", recipe="shapes", out=tmp_path / "out", clip="shape")
    refused(tris.train, UsageError, "did you mean 'clip'?", recipe="shapes", out=tmp_path / "out", clpi="shapes")


def test_a_photograph_recipe_names_openais_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(tris.train, UsageError, "RN50.pt", "openaipublic", "--set clip=FILE", recipe="refcoco", out=out)
    # The ResNet is there and the scorer is not.
    given = {"stage1.start": str(SHIPPED), "stage2.start": str(SHIPPED)}
    refused(tris.train, UsageError, "stage1.scorer", "ViT-B-32.pt", "40d36571", recipe="refcoco", out=out, **given)


def test_a_photograph_recipe_without_data_names_what_to_get(tmp_path: Path) -> None:
    given: dict[str, Any] = {"clip": "shapes", "pseudo.trunk": "stage1", "out": tmp_path / "out"}
    refused(tris.train, DataError, "stage1.split", "risbench data get", recipe="refcoco", **given)
    recipe, data = made(tmp_path)
    shutil.rmtree(data / "train2014")
    refused(tris.train, DataError, "no such image", recipe=recipe, out=tmp_path / "out", data_root=data)


@pytest.mark.parametrize("content", [b"", b"no weights at all"])
def test_a_broken_clip_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.safetensors").write_bytes(content)
    file = str(tmp_path / "clip.safetensors")
    refused(tris.train, DataError, "stage1.start", file, recipe="shapes", out=tmp_path / "out", clip=file)
    refused(clip_trainer.train, DataError, "clip.start", file, recipe="shapes", out=tmp_path / "out", start=file)
    (tmp_path / "empty").mkdir()
    refused(
        tris.train, DataError, "is a folder with", recipe="shapes", out=tmp_path / "out", clip=str(tmp_path / "empty")
    )


def test_a_clip_of_another_architecture_is_refused(tmp_path: Path) -> None:
    transformer = Path(__file__).parents[3] / "baselines/weights/shapes_clip_vit.safetensors"
    out = tmp_path / "out"
    refused(tris.train, DataError, "no ResNet tower", recipe="shapes", out=out, clip=str(transformer))
    refused(tris.train, DataError, "stage1.scorer", recipe="shapes", out=out, scorer=str(transformer))
    small = str(clip_file(tmp_path / "clip.safetensors", TOWERS))  # its joint space has not the recipe's 128 channels
    refused(tris.train, UsageError, "hidden", recipe="shapes", out=out, clip=small)
    refused(clip_trainer.train, DataError, "of the wrong shape", recipe="shapes", out=out, start=small)


def test_a_stage_that_needs_another_says_which(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for stage, first in (("maps", "--stage 1"), ("labels", "--stage 1"), ("2", "--stage labels")):
        refused(tris.train, UsageError, f"run {first} first", recipe="shapes", out=out, stage=stage)


def test_labels_without_all_maps_are_refused_before_drawing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "maps").mkdir(parents=True)
    shutil.copy(FOLDER / "shapes_stage1.safetensors", out / "stage1.safetensors")
    with pytest.raises(UsageError, match="--stage maps first"):
        tris.train("shapes", out=out, device="cpu", stage="labels")
    (out / "maps/head.json").write_text('{"refs": 3}')
    with pytest.raises(DataError, match="maps of 0 of 3 refs"):
        tris.train("shapes", out=out, device="cpu", stage="labels")
    (out / "stage1.safetensors").write_bytes((FOLDER / "shapes_stage2.safetensors").read_bytes())
    with pytest.raises(DataError, match="is not a stage 1"):
        tris.train("shapes", out=out, device="cpu", stage="maps")
    assert not (out / "recipe.json").exists()


def test_a_file_in_the_way_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for work in (tris.train, ablation.train, clip_trainer.train):
        refused(work, UsageError, "is a file", recipe="shapes", out=tmp_path / "file/out")
        with pytest.raises(UsageError, match="is a file"):
            work("shapes", out=tmp_path / "file", device="cpu")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/pseudo").touch()  # found after hours, when the labels are to be written
    with pytest.raises(UsageError, match="pseudo is a file"):
        tris.train("shapes", out=tmp_path / "out", device="cpu")


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # who runs tests may be root
    for work in (tris.train, clip_trainer.train):
        refused(work, RisbenchError, str(tmp_path), "permission", recipe="shapes", out=tmp_path / "out/deep")


def test_splits_and_devices_are_known_first(tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(tris.train, UsageError, "stage1.val", "shapes_val", recipe="shapes", out=out, val="shapes_vla")
    refused(ablation.train, UsageError, "stage1.val", recipe="shapes", out=out, val="none")
    given = {"stage1.select": "val_mIoU", "val": "none"}
    refused(tris.train, UsageError, "needs a val split", recipe="shapes", out=out, **given)
    with pytest.raises(UsageError, match="tpu"):
        tris.train("shapes", out=out, device="tpu")
    assert not out.exists()


def test_irns_trunk_is_read_before_stage_1_is_trained(tmp_path: Path) -> None:
    given = {"pseudo.trunk": "imagenet", "pseudo.imagenet": str(SHIPPED)}
    refused(tris.train, DataError, "ResNet-50", recipe="shapes", out=tmp_path / "out", **given)
    given = {"pseudo.trunk": "imagenet", "pseudo.imagenet": "resnet50.pth"}
    refused(tris.train, UsageError, "download.pytorch.org", recipe="shapes", out=tmp_path / "out", **given)


def test_a_stage_2_of_other_sizes_than_stage_1_is_refused_before_stage_1_is_trained(tmp_path: Path) -> None:
    other = str(clip_file(tmp_path / "clip.safetensors", TOWERS))
    given = {"stage2.start": other}
    refused(
        tris.train, UsageError, "stage2.start", "not those of stage 1", recipe="shapes", out=tmp_path / "out", **given
    )
