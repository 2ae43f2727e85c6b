"""One command trains all of TRIS: its parts meet, go on where they were killed, and say what they lack."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.joined import made

from risbench.errors import DataError, UsageError
from tris_model import load
from tris_model.train import maps, pseudo
from tris_model.train.loop.journal import Journal
from tris_model.train.tris import train


class Killed(BaseException):
    """As if the process had been killed: nothing catches it."""


def dies(patched: pytest.MonkeyPatch, owner: Any, name: str, call: int) -> None:
    """Let the n-th call of a function be the last thing that happens."""
    function: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Killed
        return function(*given, **named)

    patched.setattr(owner, name, counted)


def outcome(out: Path) -> dict[str, Any]:
    """All that must be the same however often the work was cut off."""
    curves = {}
    for log in sorted(out.glob("*/log.jsonl")):
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        curves[log.parent.name] = [(line["step"], line.get("loss", line.get("total"))) for line in lines]
    masks = {path.name: path.read_bytes() for path in (out / "pseudo/masks").iterdir()}
    weights = {n: load(out / f"stage{n}.safetensors").state_dict() for n in (1, 2)}
    scores = [row["metrics"]["mIoU"]["value"] for row in json.loads((out / "scores.json").read_text())]
    return {"curves": curves, "masks": masks, "weights": weights, "scores": scores}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """The recipe, the data, and what training it without a break left."""
    folder = tmp_path_factory.mktemp("whole")
    recipe, data = made(folder)
    return recipe, data, train(recipe, out=folder / "out", device="cpu", data_root=data)


def test_all_stages_in_one_command_end_with_both_networks_and_their_scores(
    whole: tuple[str, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, data, out = whole
    assert [load(out / f"stage{n}.safetensors").config.stage for n in (1, 2)] == [1, 2]
    rows = json.loads((out / "scores.json").read_text())
    assert [(row["stage"], row["split"], row["count"]) for row in rows] == [
        (1, "refcoco_val", 2),
        (2, "refcoco_val", 2),
    ]
    assert all(
        {"value", "low", "high", "count"} <= set(row["metrics"][name])
        for row in rows
        for name in ("mIoU", "P@0.5", "PointM")
    )
    found = outcome(out)
    assert len(found["masks"]) == 6
    assert {name: len(curve) for name, curve in found["curves"].items()} == {"stage1": 3, "pseudo": 4, "stage2": 2}
    train(recipe, out=out, device="cpu", data_root=data)  # nothing is left to do but to show the table again
    result = capsys.readouterr().out
    assert "TRIS on refcoco_val" in result
    assert str(out / "stage2.safetensors") in result
    assert outcome(out)["scores"] == found["scores"]


# In which call each part is cut off, what it has begun by then, and what there is only after it.
KILLS = (
    (Journal, "keep", 2, "stage1/state.pt", "stage1.safetensors"),
    (maps, "_chunk", 2, "maps/00000.npz", "maps/00001.npz"),
    (pseudo, "write_labels", 2, "pseudo/labels", "pseudo/log.jsonl"),
    (Journal, "log", 3, "pseudo/log.jsonl", "pseudo/irn.safetensors"),
    (pseudo, "write_masks", 2, "pseudo/masks", "stage2"),
    (Journal, "keep", 2, "stage2/state.pt", "stage2.safetensors"),
)


def test_killed_in_every_part_and_called_again_the_training_ends_the_same(
    whole: tuple[str, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, data, out = whole
    monkeypatch.setattr(maps, "CHUNK", 1)
    monkeypatch.setattr(pseudo, "PIECE", 1)
    kept = Journal.keep
    monkeypatch.setattr(Journal, "keep", lambda self, *given, **named: kept(self, *given, **{**named, "now": True}))
    for owner, name, call, begun, after in KILLS:
        with monkeypatch.context() as patched:
            dies(patched, owner, name, call)
            with pytest.raises(Killed):
                train(recipe, out=tmp_path / "out", device="cpu", data_root=data)
        assert (tmp_path / "out" / begun).exists()
        assert not (tmp_path / "out" / after).exists()
    train(recipe, out=tmp_path / "out", device="cpu", data_root=data)
    found, wanted = outcome(tmp_path / "out"), outcome(out)
    assert found["curves"] == wanted["curves"]
    assert found["masks"] == wanted["masks"]
    assert found["scores"] == wanted["scores"]
    for n in (1, 2):
        assert all(torch.equal(value, wanted["weights"][n][key]) for key, value in found["weights"][n].items())


def test_parts_one_by_one_are_the_whole(whole: tuple[str, Path, Path], tmp_path: Path) -> None:
    recipe, data, out = whole
    for stage, lacking in (("maps", "--stage 1 first"), ("labels", "--stage 1 first"), ("2", "--stage labels first")):
        with pytest.raises(UsageError, match=lacking):
            train(recipe, out=tmp_path / "out", device="cpu", stage=stage, data_root=data)
    train(recipe, out=tmp_path / "out", device="cpu", stage="1", data_root=data)
    assert [row["stage"] for row in json.loads((tmp_path / "out/scores.json").read_text())] == [1]
    with pytest.raises(UsageError, match="--stage maps first"):
        train(recipe, out=tmp_path / "out", device="cpu", stage="labels", data_root=data)
    for stage in ("maps", "labels", "2"):
        train(recipe, out=tmp_path / "out", device="cpu", stage=stage, data_root=data)
    found, wanted = outcome(tmp_path / "out"), outcome(out)
    assert (found["curves"], found["masks"], found["scores"]) == (wanted["curves"], wanted["masks"], wanted["scores"])


def test_no_val_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, data = made(tmp_path)
    train(recipe, out=tmp_path / "out", device="cpu", stage="1", data_root=data, val="none")
    assert not (tmp_path / "out/scores.json").exists()
    assert capsys.readouterr().out == ""


def test_a_limit_holds_for_all_stages_and_refs_for_what_follows_stage_1(tmp_path: Path) -> None:
    recipe, data = made(tmp_path)
    given: dict[str, Any] = {"device": "cpu", "data_root": data, "val": "none"}
    out = train(recipe, out=tmp_path / "limit", limit="2", **given)
    assert len(list((out / "pseudo/masks").iterdir())) == 4
    steps = [json.loads(line)["step"] for line in (out / "stage2/log.jsonl").read_text().splitlines()]
    assert steps == [0, 1]
    out = train(recipe, out=tmp_path / "refs", refs="3", **given)
    assert len(maps.read_maps(out / "maps").refs) == 3
    assert len(list((out / "pseudo/masks").iterdir())) == 3
    assert len((out / "stage1/log.jsonl").read_text().splitlines()) == 3
    assert len((out / "stage2/log.jsonl").read_text().splitlines()) == 1
    with pytest.raises(UsageError, match="the same split and limit"):
        train(recipe, out=tmp_path / "out", **{**given, "stage2.limit": "1"})


def test_irn_may_learn_from_some_refs_and_then_walk_for_all(tmp_path: Path) -> None:
    recipe, data = made(tmp_path)
    given: dict[str, Any] = {"device": "cpu", "data_root": data, "val": "none", "pseudo.learn": "4"}
    for stage in ("1", "maps", "labels"):
        train(recipe, out=tmp_path / "out", stage=stage, **given)
    assert len(list((tmp_path / "out/pseudo/labels").iterdir())) == 4
    assert len(list((tmp_path / "out/pseudo/masks").iterdir())) == 6
    assert len((tmp_path / "out/pseudo/log.jsonl").read_text().splitlines()) == 2  # of 3 in two epochs


def test_without_prms_the_map_is_the_first_sentences(tmp_path: Path) -> None:
    recipe, data = made(tmp_path)
    given: dict[str, Any] = {"device": "cpu", "data_root": data, "val": "none", "prms": "false"}
    train(recipe, out=tmp_path / "out", stage="1", **given)
    train(recipe, out=tmp_path / "out", stage="maps", **given, scorer="absent.pt")  # which is not asked
    assert maps.read_maps(tmp_path / "out/maps").sentence.tolist() == [0] * 6
    with pytest.raises(DataError, match="remove it"):
        train(recipe, out=tmp_path / "out", stage="maps", **{**given, "prms": "true"})


def test_without_irn_a_map_above_the_threshold_is_the_mask(tmp_path: Path) -> None:
    recipe, data = made(tmp_path)
    given: dict[str, Any] = {"device": "cpu", "data_root": data, "val": "none", "irn": "false"}
    out = train(recipe, out=tmp_path / "out", **{**given, "pseudo.plain": "0.4"})
    assert not (out / "pseudo/labels").exists()
    chosen = maps.read_maps(out / "maps")
    from tris_model.irn.masks import read_mask

    for response, path in zip(chosen.response, sorted((out / "pseudo/masks").iterdir()), strict=True):
        heat = maps.heat_of(response, 8, (24, 32))
        np.testing.assert_array_equal(read_mask(path.parent, path.stem), heat > 0.4)


def test_maps_without_any_response_become_empty_masks_and_stage_2_survives_them(tmp_path: Path) -> None:
    recipe, data = made(tmp_path)
    given: dict[str, Any] = {"device": "cpu", "data_root": data, "val": "none"}
    for stage in ("1", "maps"):
        train(recipe, out=tmp_path / "out", stage=stage, **given)
    for path in (tmp_path / "out/maps").glob("*.npz"):
        with np.load(path) as held:
            arrays = dict(held)
        np.savez(path, **{**arrays, "response": -np.abs(arrays["response"])})
    for stage in ("labels", "2"):
        train(recipe, out=tmp_path / "out", stage=stage, **given)
    from tris_model.irn.masks import read_mask

    masks = tmp_path / "out/pseudo/masks"
    assert not any(read_mask(masks, path.stem).any() for path in masks.iterdir())
    losses = [json.loads(line)["loss"] for line in (tmp_path / "out/stage2/log.jsonl").read_text().splitlines()]
    assert np.isfinite(losses).all()


def test_masks_of_another_recipe_and_missing_ones_are_named(whole: tuple[str, Path, Path], tmp_path: Path) -> None:
    import shutil

    recipe, data, whole_out = whole
    out = Path(shutil.copytree(whole_out, tmp_path / "out"))
    given: dict[str, Any] = {"device": "cpu", "data_root": data, "out": out}
    with pytest.raises(DataError, match="pseudo masks of other maps or another recipe; remove it"):
        train(recipe, stage="labels", **{**given, "pseudo.above": "0.4"})
    train(recipe, stage="labels", **{**given, "pseudo.processes": "2"})  # which changes no result
    next((out / "pseudo/masks").iterdir()).unlink()
    with pytest.raises(DataError, match="masks of 5 of 6 refs; run the stage 'labels'"):
        train(recipe, stage="2", **given)
    with pytest.raises(UsageError, match="--stage must be one of 1, maps, labels, 2"):
        train(recipe, stage="3", **given)
    with pytest.raises(UsageError, match=r"set pseudo\.imagenet"):
        train(recipe, out=tmp_path / "new", device="cpu", data_root=data, **{"pseudo.trunk": "imagenet"})
    with pytest.raises(UsageError, match="crop a multiple of 4"):
        train(recipe, out=tmp_path / "new", device="cpu", data_root=data, **{"pseudo.train.crop": "30"})
    assert not (tmp_path / "new/stage1").exists()  # said before hours of work
