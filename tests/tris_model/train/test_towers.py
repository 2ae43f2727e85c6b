"""The loop that teaches two towers: it goes on as if never stopped, serves any tower, and counts every view alike."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from helpers.stopping import stopping_at
from torch import Tensor, nn

from risbench.errors import DataError, UsageError
from tris_model import Config, TextTower, load_clip
from tris_model.files.checkpoint import read as read_weights
from tris_model.tiny_clip import trainer
from tris_model.tiny_clip.course import Course
from tris_model.tiny_clip.lessons import Lesson
from tris_model.tiny_clip.towers import TowerTrainer
from tris_model.tiny_clip.train import ClipRecipe, fit, train
from tris_model.tiny_clip.trainer import centre_texts, teach, word_ids
from tris_model.train.loop.journal import Stopped
from tris_model.train.recipe import names, one

CPU = torch.device("cpu")
RECIPE = ClipRecipe(
    first=Lesson(steps=3, objects=8, scenes=0, side=24), second=Lesson(steps=3, objects=2, scenes=3, side=32),
    objects=12, scenes=12, mixed=1, freeze_text_steps=2, temperature_start=30.0, precision="float32",
    network=Config(
        image_size=32, stride=8, depth=(1, 1, 1, 1), width=2, pool_grid=4, ramp=True, context=20, text_width=16,
        text_depth=1, text_heads=2, embed=8, hidden=8,
    ),
)  # fmt: skip


def curve(out: Path, name: str = "clip") -> list[tuple]:
    lines = [json.loads(line) for line in (out / name / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["questions"], line.get("sentences"), line["lr"]) for line in lines]


def test_a_stopped_training_goes_on_to_the_same_curve_and_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = fit(RECIPE, tmp_path / "whole", CPU)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "interruptible", stopping_at(4))
        with pytest.raises(Stopped, match="stopped at step 4 of 6"):
            fit(RECIPE, tmp_path / "parts", CPU)
    assert not (tmp_path / "parts" / "clip.safetensors").exists()
    with pytest.raises(DataError, match="belongs to another recipe"):
        fit(replace(RECIPE, lr=1e-3), tmp_path / "parts", CPU)
    parts = fit(RECIPE, tmp_path / "parts", CPU)
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    one_state, other = read_weights(whole).state, read_weights(parts).state
    assert all(value.equal(other[key]) for key, value in one_state.items())
    assert json.loads(read_weights(whole).metadata["recipe"]) == json.loads(json.dumps(asdict(RECIPE)))
    assert load_clip(whole).config.trimmed


class Dots(nn.Module):
    """An image tower that sees the mean colour and nothing else."""

    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Linear(3, size)

    def forward(self, images: Tensor) -> Tensor:
        return self.weight(images.mean((2, 3)))


class OtherTowers(TextTower):
    def __init__(self) -> None:
        config = replace(RECIPE.network, trimmed=True, vocabulary=len(word_ids()) + 1)
        super().__init__(config)
        self.config = config
        assert self.token_ids is not None
        self.token_ids.copy_(word_ids())
        self.visual = Dots(config.embed)

    def encode_image(self, images: Tensor) -> Tensor:
        return self.visual(images)


def nothing(network: object, images: Tensor, tokens: Tensor) -> None:
    assert images.shape[1:] == (3, 24, 24)
    assert tokens.shape[1] == 20


def course() -> Course:
    own = asdict(RECIPE)
    shared = {key: own[key] for key in Course.__dataclass_fields__}
    return Course(**{**shared, "first": RECIPE.first, "second": RECIPE.second})


def teach_other(out: Path, **given) -> Path:
    torch.manual_seed(1)
    return teach(TowerTrainer("other", OtherTowers(), course(), nothing, **given), out, CPU)


def test_any_two_towers_can_be_taught_and_every_view_counts_the_same(tmp_path: Path):
    kept = teach_other(tmp_path / "one")
    assert kept == tmp_path / "one" / "other.safetensors"
    before = OtherTowers().state_dict()
    assert set(read_weights(kept).state) == set(before)
    teach_other(tmp_path / "two", summaries=lambda network, images, shown: [network.encode_image(images)] * 2)
    twice = teach_other(
        tmp_path / "three",
        summaries=lambda network, images, shown: [network.encode_image(images), -network.encode_image(images)],
    )
    assert curve(tmp_path / "one", "other") == curve(tmp_path / "two", "other")
    assert curve(tmp_path / "one", "other") != curve(tmp_path / "three", "other")
    assert teach_other(tmp_path / "three") == twice  # a finished training is not done again


def test_while_the_text_tower_is_frozen_only_the_image_tower_and_the_temperature_learn(tmp_path: Path):
    torch.manual_seed(1)
    network = OtherTowers()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    lesson = replace(RECIPE.first, steps=2)
    two_steps = replace(course(), first=lesson, second=replace(lesson, steps=0), weight_decay=0.0)
    teach(TowerTrainer("other", network, two_steps, nothing), tmp_path, CPU)
    changed = {key for key, value in network.state_dict().items() if not value.equal(before[key])}
    assert changed == {"visual.weight.weight", "visual.weight.bias", "logit_scale"}


def test_centred_texts_have_a_mean_of_zero():
    torch.manual_seed(0)
    network = OtherTowers()
    tokens = torch.randint(1, 49408, (7, 20))
    centre_texts(network, tokens)
    torch.testing.assert_close(network.encode_text(tokens).mean(0), torch.zeros(8), atol=1e-5, rtol=0)


def test_a_recipe_of_another_folder_is_read_with_its_changes(tmp_path: Path):
    (tmp_path / "drawn.toml").write_text("[other]\nlr = 0.5\n[other.first]\nsteps = 4\n[other.second]\nsteps = 5\n")
    got = one(Course, "drawn", "other", {"lr": "0.1", "first.steps": "7", "other.second.side": "9"}, tmp_path)
    assert (got.lr, got.first.steps, got.second.steps, got.second.side) == (0.1, 7, 5, 9)
    assert names("other", tmp_path) == ("drawn",)
    with pytest.raises(UsageError, match="did you mean 'drawn'"):
        one(Course, "drwan", "other", {}, tmp_path)
    with pytest.raises(UsageError, match=r"no table \[another\]"):
        one(Course, "drawn", "another", {"lr": "1"}, tmp_path)
    with pytest.raises(UsageError, match=r"no key 'frist': did you mean 'first'"):
        one(Course, "drawn", "other", {"frist.steps": "1"}, tmp_path)


def test_the_key_clip_is_the_gradients_and_a_stage_is_refused(tmp_path: Path):
    assert one(ClipRecipe, "shapes", "clip", {"clip": "1.5", "clip.lr": "1"}).clip == 1.5
    with pytest.raises(UsageError, match="leave --stage out"):
        train("shapes", out=tmp_path, stage="1")
