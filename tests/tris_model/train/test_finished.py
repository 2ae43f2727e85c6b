"""A finished part by another recipe is refused, or made again with --overwrite."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from helpers.joined import made
from helpers.training import clip_file, recipe, refer_tree

from risbench.cli import app
from risbench.errors import DataError, UsageError
from tris_model.files.checkpoint import read
from tris_model.irn import train as irn
from tris_model.tiny_clip import train as clip_trainer
from tris_model.train import stage1, tris
from tris_model.train.loop.finished import first_difference

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """A recipe's file, the data root, and a folder with all four parts finished."""
    folder = tmp_path_factory.mktemp("whole")
    file, data = made(folder)
    tris.train(file, out=folder / "out", device="cpu", data_root=data, val="none")
    return file, data, folder / "out"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


CHANGES: list[tuple[str | None, dict[str, Any], str]] = [
    ("1", {"stage1.epochs": "2"}, r"stage1\.epochs is 1 there and 2 here"),
    ("1", {"stage1.seed": "7", "stage1.rates.heads": "1e-3"}, r"stage1\.rates\.heads is 0\.01 there and 0\.001 here"),
    ("1", {"stage1.weights.positive": "3"}, r"stage1\.weights\.positive"),
    (None, {"stage1.network.alpha": "0.3"}, r"stage1\.network\.alpha"),
    ("maps", {"pseudo.prms": "false"}, "maps of other weights, or of other refs; remove it.*prms"),
    ("maps", {"pseudo.refs": "3"}, "refs is 6 there and 3 here"),
    ("labels", {"pseudo.walk.steps": "5"}, r"recipe\.walk\.steps is 4 there and 5 here"),
    (None, {"pseudo.train.seed": "5"}, r"recipe\.train\.seed"),
    ("2", {"stage2.weight": "3"}, r"stage2\.weight is 1\.0 there and 3\.0 here"),
    (None, {"stage2.rates.positions": "0.1"}, r"stage2\.rates\.positions"),
]


@pytest.mark.parametrize(("stage", "changes", "words"), CHANGES)
def test_a_finished_part_of_another_recipe_is_refused_by_the_first_key_and_nothing_is_written(
    whole: tuple[str, Path, Path], stage: str | None, changes: dict[str, Any], words: str
) -> None:
    file, data, out = whole
    before = contents(out)
    with pytest.raises(DataError, match=words) as caught:
        tris.train(file, out=out, device="cpu", stage=stage, data_root=data, val="none", **changes)
    assert "--overwrite" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(out) == before


def test_the_same_recipe_is_returned_and_a_val_that_selects_nothing_may_change(whole: tuple[str, Path, Path]) -> None:
    file, data, out = whole
    weights = {name: (out / name).read_bytes() for name in ("stage1.safetensors", "stage2.safetensors")}
    tris.train(file, out=out, device="cpu", data_root=data, val="none")
    assert {name: (out / name).read_bytes() for name in weights} == weights


def test_overwrite_makes_the_part_and_all_that_hangs_on_it_anew(whole: tuple[str, Path, Path], tmp_path: Path) -> None:
    file, data, source = whole
    out = tmp_path / "out"
    shutil.copytree(source, out)
    given: dict[str, Any] = {"out": out, "device": "cpu", "data_root": data, "val": "none", "stage1.epochs": "2"}
    before = contents(out)
    tris.train(file, overwrite=True, **given)
    after = contents(out)
    for name in ("stage1.safetensors", "maps/00000.npz", "stage2.safetensors"):
        assert after[name] != before[name], name
    assert json.loads(read(out / "stage1.safetensors").metadata["recipe"])["epochs"] == 2
    assert json.loads((out / "recipe.json").read_text())["stage1"]["epochs"] == "2"
    assert len((out / "stage1/log.jsonl").read_text().splitlines()) == 6
    tris.train(file, **given)  # and this is now the recipe that is finished
    tris.train(file, overwrite=True, **given)
    assert contents(out) == after


def test_stage_2_of_other_masks_than_are_there_now_is_refused(whole: tuple[str, Path, Path], tmp_path: Path) -> None:
    file, data, source = whole
    out = tmp_path / "out"
    shutil.copytree(source, out)
    given: dict[str, Any] = {"out": out, "device": "cpu", "data_root": data, "val": "none", "pseudo.walk.steps": "2"}
    tris.train(file, stage="labels", overwrite=True, **given)
    with pytest.raises(DataError, match="other pseudo masks"):
        tris.train(file, stage="2", **given)
    tris.train(file, stage="1", **given, **{"stage1.network.beta": "0.7"}, overwrite=True)
    with pytest.raises(DataError, match="other weights"):
        tris.train(file, stage="labels", **given)


def test_the_record_keeps_the_tables_of_parts_that_are_not_made_now(
    whole: tuple[str, Path, Path], tmp_path: Path
) -> None:
    file, data, source = whole
    out = tmp_path / "out"
    shutil.copytree(source, out)
    kept = json.loads((out / "recipe.json").read_text())["stage1"]
    tris.train(file, stage="maps", out=out, device="cpu", data_root=data, val="none", **{"stage1.epochs": "9"})
    assert json.loads((out / "recipe.json").read_text())["stage1"] == kept


def test_a_state_of_another_recipe_is_refused_before_the_record_is_written(tmp_path: Path) -> None:
    file, data = made(tmp_path)
    out = tmp_path / "out"
    (out / "stage1").mkdir(parents=True)
    torch.save({"recipe": '{"epochs": 5}', "step": 1}, out / "stage1/state.pt")
    given: dict[str, Any] = {"out": out, "device": "cpu", "stage": "1", "data_root": data, "val": "none"}
    with pytest.raises(DataError, match="belongs to another recipe: stage1"):
        tris.train(file, **given)
    assert not (out / "recipe.json").exists()
    tris.train(file, overwrite=True, **given)
    assert (out / "stage1.safetensors").exists()


def test_weights_that_name_no_recipe_are_taken_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, file = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    kept = Path(shutil.copy(file, tmp_path / "stage1.safetensors"))
    assert stage1.fit(recipe(file), tmp_path, CPU, data) == kept
    assert "does not say its recipe" in " ".join(capsys.readouterr().err.split())


def test_a_key_that_is_younger_than_the_file_had_its_default(tmp_path: Path) -> None:
    requested = recipe(tmp_path)
    old = {"split": requested.split, "start": requested.start, "scorer": requested.scorer, "batch": 2, "epochs": 2}
    kept = json.loads(json.dumps({**old, "negatives": 2, "network": {"hidden": 8, "pool_grid": 0}}))
    assert first_difference(kept, requested) is None
    assert first_difference(kept, replace(requested, mirror=True)) == ("mirror", False, True)


def test_the_tiny_clip_refuses_another_recipe_and_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISBENCH_CACHE", str(tmp_path / "cache"))
    small: dict[str, Any] = {
        "objects": "12", "scenes": "12", "mixed": "1", "precision": "float32", "freeze_text_steps": "0",
        "network.image_size": "32", "network.pool_grid": "4", "network.width": "4", "network.text_width": "16",
        "network.text_depth": "1", "network.text_heads": "2", "network.embed": "8", "network.hidden": "8",
        "first.side": "32", "first.objects": "4", "first.steps": "1", "second.side": "32", "second.objects": "2",
        "second.scenes": "2", "second.steps": "1",
    }  # fmt: skip
    path = clip_trainer.train("shapes", out=tmp_path / "out", device="cpu", **small)
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"clip\.seed is 0 there and 3 here"):
        clip_trainer.train("shapes", out=tmp_path / "out", device="cpu", **small, seed="3")
    assert path.read_bytes() == before
    clip_trainer.train("shapes", out=tmp_path / "out", device="cpu", overwrite=True, **small, seed="3")
    assert json.loads(read(path).metadata["recipe"])["seed"] == 3


def test_irn_names_its_recipe_in_its_own_file(whole: tuple[str, Path, Path], tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole[2] / "pseudo", tmp_path / "pseudo"))
    (out / irn.CHECKPOINT).unlink()
    kept = json.loads(read(out / irn.NETWORK).metadata["recipe"])
    signs = {key: value for key, value in kept.items() if key != "trunk"}
    with pytest.raises(UsageError, match="finished with another epochs"):
        irn._finished(out, None, {**signs, "epochs": 9})  # pyright: ignore[reportArgumentType]


def test_options_of_the_command_are_no_keys_of_a_recipe() -> None:
    for key in ("out", "device", "stage", "data_root", "overwrite"):
        result = CliRunner().invoke(app, ["train", "tris", "--recipe", "shapes", "--set", f"{key}=x"])
        assert isinstance(result.exception, UsageError)
        assert f"--{key.replace('_', '-')}" in str(result.exception)


def test_scores_of_a_network_are_not_taken_twice(tmp_path: Path) -> None:
    file, data = made(tmp_path)
    given: dict[str, Any] = {"out": tmp_path / "out", "device": "cpu", "stage": "1", "data_root": data}
    tris.train(file, **given)
    (rows,) = (tmp_path / "out/scores").glob("*/rows.jsonl")
    before = rows.stat().st_mtime_ns
    tris.train(file, **given)
    assert rows.stat().st_mtime_ns == before
