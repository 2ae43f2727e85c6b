"""Stage 1 learns, stops, goes on, and shares its batch."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.training import clip_file, recipe, refer_tree

from risbench.errors import DataError, UsageError
from tris_model import load
from tris_model.train import stage1
from tris_model.train.loop.journal import Journal, Stopped
from tris_model.train.loop.optimiser import Rates, adamw, decay, freeze_unused
from tris_model.train.recipe import changed, read, record
from tris_model.train.tris import train

CPU = torch.device("cpu")


def curve(folder: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (folder / "stage1/log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


def test_a_killed_training_continues_to_the_same_curve_and_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    requested = recipe(clip, rates=Rates(heads=1e-2, backbone=1e-3))
    stage1.fit(requested, tmp_path / "whole", CPU, data)

    kept = Journal.keep

    def killed(self: Journal, step: int, *rest: object, **more: object) -> None:
        if step == 3:
            raise KeyboardInterrupt
        kept(self, step, *rest, **{**more, "now": step == 2})  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            stage1.fit(requested, tmp_path / "parts", CPU, data)
    assert len(curve(tmp_path / "parts")) == 3
    with pytest.raises(DataError, match="another recipe"):
        stage1.fit(replace(requested, seed=1), tmp_path / "parts", CPU, data)
    stage1.fit(requested, tmp_path / "parts", CPU, data)
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    assert len(curve(tmp_path / "whole")) == 6
    one, other = (load(tmp_path / part / "stage1.safetensors").state_dict() for part in ("whole", "parts"))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: int) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    log = Journal.log

    def interrupted(self: Journal, step: int, **terms: object) -> None:
        log(self, step, **terms)
        if step == 1:
            signal.raise_signal(sent)

    monkeypatch.setattr(Journal, "log", interrupted)
    with pytest.raises(Stopped, match="step 2 of 6; the same command goes on"):
        stage1.fit(recipe(clip), tmp_path / "out", CPU, data)
    assert torch.load(tmp_path / "out/stage1/state.pt", weights_only=True)["step"] == 2


def test_each_line_of_the_log_has_every_term_the_rate_the_speed_and_the_memory(tmp_path: Path) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    stage1.fit(recipe(clip, epochs=1), tmp_path / "out", CPU, data)
    line = json.loads((tmp_path / "out/stage1/log.jsonl").read_text().splitlines()[0])
    assert set(line) == {
        "step", "loss", "classification", "positive", "negative", "coverage", "lr", "images_per_second", "memory",
        "seconds",
    }  # fmt: skip
    by_hand = 5 * line["classification"] + line["positive"] + 2 * line["negative"]
    assert line["loss"] == pytest.approx(by_hand, rel=1e-4)


def test_the_authors_groups_and_decay() -> None:
    from helpers.training import TOWERS

    from tris_model.network.stage1 import Stage1

    network = Stage1(TOWERS)
    freeze_unused(network, temperature=False)
    optimiser = adamw(network, Rates())
    by_rate = {group["lr"]: len(group["params"]) for group in optimiser.param_groups}
    backbone = [name for name, weight in network.backbone.named_parameters() if weight.requires_grad]
    assert by_rate == {5e-6: len(backbone), 5e-5: 2 + 2 + 3 * 4 + 3 * 2 + 4 + 2}
    assert not any("attnpool" in name or name == "logit_scale" for name in backbone)
    decay(optimiser, 25, 100, 0.9)
    assert {group["lr"] for group in optimiser.param_groups} == {5e-6 * 0.75**0.9, 5e-5 * 0.75**0.9}


def test_a_recipe_with_an_unknown_key_names_the_near_one() -> None:
    tables = changed(read("shapes"), {"stage1.rates.haeds": "1e-3"}, "stage1")
    with pytest.raises(UsageError, match=r"stage1\.rates has no key 'haeds'.*'heads'"):
        record(stage1.Stage1Recipe, tables["stage1"], "stage1")


def test_options_are_laid_over_the_recipe_and_converted() -> None:
    tables = changed(read("shapes"), {"epochs": "1", "weights.clamped": "false", "stage1.mirror": "false"}, "stage1")
    assert "weights" not in tables
    assert record(stage1.Stage1Recipe, tables["stage1"], "stage1").weights.clamped is False
    assert record(stage1.Stage1Recipe, tables["stage1"], "stage1").epochs == 1
    assert record(stage1.Stage1Recipe, tables["stage1"], "stage1").mirror is False


def test_the_command_trains_a_stage_and_chooses_maps(tmp_path: Path) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    given = {
        "clip": str(clip),
        "split": "refcoco_train",
        "val": "refcoco_val",
        "heads": "drawn",
        "stage1.network.hidden": "8",
    }
    small = {"batch": "2", "epochs": "1", "mirror": "false"}
    train("shapes", out=tmp_path / "out", device="cpu", stage="1", data_root=data, **given, **small)
    train("shapes", out=tmp_path / "out", device="cpu", stage="maps", data_root=data, **given, **small)
    assert load(tmp_path / "out/stage1.safetensors").config.ramp
    from tris_model.train.maps import read_maps

    assert read_maps(tmp_path / "out/maps").response.shape == (6, 4, 4)
