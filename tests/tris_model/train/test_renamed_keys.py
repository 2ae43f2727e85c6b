"""Keys of recipes that have a new name: the old ones are read with a warning, and finished trainings stay finished."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.stopping import stopping_at
from test_towers import CPU, RECIPE, curve

from baselines.train.groupvit import FOLDER, GroupViTRecipe
from risbench.errors import DataError, UsageError
from tris_model.files.checkpoint import read as read_weights
from tris_model.files.checkpoint import write
from tris_model.tiny_clip import trainer
from tris_model.tiny_clip.course import Course
from tris_model.tiny_clip.train import ClipRecipe, fit
from tris_model.train.loop.journal import Stopped
from tris_model.train.recipe import one

OLD = {new: old for old, new in Course.RENAMED.items()}


def old_text(recipe: Course) -> str:
    """The text of a recipe as it was written before the keys were renamed."""
    return json.dumps({OLD.get(key, key): value for key, value in asdict(recipe).items()}, sort_keys=True)


def test_the_old_keys_mean_what_the_new_ones_mean_and_a_warning_names_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lessons = "[clip.first]\nsteps = 1\n[clip.second]\nsteps = 0\n"
    (tmp_path / "old.toml").write_text(f"[clip]\ntold = 3\nstill = 7\nwarmth = 20\nwarmest = 40\n{lessons}")
    new = "sentence_weight = 3\nfreeze_text_steps = 7\ntemperature_start = 20\ntemperature_limit = 40"
    (tmp_path / "new.toml").write_text(f"[clip]\n{new}\n{lessons}")
    found = one(ClipRecipe, str(tmp_path / "old.toml"), "clip", {})
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"warning: clip.{old} is called clip.{new} now; the old name will be removed" for new, old in OLD.items()
    ]
    assert found == one(ClipRecipe, str(tmp_path / "new.toml"), "clip", {})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("option", ["told", "clip.told"])
def test_an_old_key_of_an_option_goes_before_the_recipe(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert one(ClipRecipe, "shapes", "clip", {option: "2.5"}).sentence_weight == 2.5
    assert "clip.sentence_weight now" in capsys.readouterr().err


def test_the_recipes_of_other_trainers_of_the_drawn_world_know_the_old_keys_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert one(GroupViTRecipe, "shapes", "groupvit", {"warmth": "12"}, FOLDER).temperature_start == 12
    assert "warning: groupvit.warmth is called" in capsys.readouterr().err


def test_a_key_under_both_names_is_refused() -> None:
    with pytest.raises(UsageError, match="clip has both sentence_weight and told, its old name; leave told out"):
        one(ClipRecipe, "shapes", "clip", {"told": "2", "sentence_weight": "3"})


def test_the_shipped_recipes_use_the_new_names(capsys: pytest.CaptureFixture[str]) -> None:
    one(ClipRecipe, "shapes", "clip", {})
    one(GroupViTRecipe, "shapes", "groupvit", {}, FOLDER)
    assert capsys.readouterr().err == ""


def test_a_finished_training_whose_recipe_has_the_old_keys_is_the_same_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = fit(RECIPE, tmp_path, CPU)
    held = read_weights(weights)
    write(held.state, weights, {**held.metadata, "recipe": old_text(RECIPE)})
    before = weights.read_bytes()
    monkeypatch.setattr(torch.optim, "AdamW", None)  # nothing is trained
    assert fit(RECIPE, tmp_path, CPU).read_bytes() == before
    with pytest.raises(DataError, match=r"clip\.freeze_text_steps is 2 there and 1 here"):
        fit(replace(RECIPE, freeze_text_steps=1), tmp_path, CPU)


def test_an_unfinished_training_whose_recipe_has_the_old_keys_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(RECIPE, tmp_path / "whole", CPU)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "interruptible", stopping_at(4))
        with pytest.raises(Stopped):
            fit(RECIPE, tmp_path / "parts", CPU)
    path = tmp_path / "parts/clip/state.pt"
    state: dict[str, Any] = torch.load(path, weights_only=True)
    torch.save({**state, "recipe": old_text(RECIPE)}, path)
    fit(RECIPE, tmp_path / "parts", CPU)
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    one_state, other = (read_weights(tmp_path / part / "clip.safetensors").state for part in ("whole", "parts"))
    assert all(value.equal(other[key]) for key, value in one_state.items())
