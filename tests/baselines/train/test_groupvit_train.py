"""The tiny GroupViT's training: its loss by hand, its start, and a training that goes on as if never stopped."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.stopping import stopping_at

from baselines.groupvit import weights_file
from baselines.groupvit.features import pixels_of
from baselines.groupvit.method import make
from baselines.train._groupvit_losses import matched, one_group, unevenness
from baselines.train._groupvit_start import TinySizes, started
from baselines.train.groupvit import FOLDER, GroupViTRecipe, answers, fit, pictured, train
from risbench import DataError, UsageError
from tris_model.tiny_clip import trainer
from tris_model.tiny_clip.lessons import Lesson
from tris_model.tiny_clip.pictures import pictures
from tris_model.train.loop.journal import Stopped
from tris_model.train.recipe import one

CPU = torch.device("cpu")
SMALL = TinySizes(
    image_size=32, width=16, inner=16, heads=2, depths=(1, 1), tokens=(5, 0), groups=(5, 5), text_width=16,
    text_inner=16, text_depth=1, text_heads=2, embed=8, hidden=16,
)  # fmt: skip
RECIPE = GroupViTRecipe(
    first=Lesson(steps=2, objects=8, scenes=0, side=32), second=Lesson(steps=2, objects=4, scenes=3, side=32),
    objects=12, scenes=12, mixed=1, network=SMALL, precision="float32",
)  # fmt: skip


def test_a_caption_is_set_against_the_brothers_of_its_group_and_the_group_against_other_captions():
    cosines = torch.tensor([[[0.9, 0.1], [0.2, 0.3]], [[0.4, 0.0], [0.1, 0.5]]])  # 2 pictures, 2 groups, 2 captions
    true = torch.tensor([[True, False], [False, True]])

    def hard(own: float, *others: float) -> float:
        return math.log(1 + sum(math.exp(10 * (other - own)) for other in others))

    # caption 0 in group 0 of picture 0: its brother says 0.2, the other picture 0.4 and 0.1; of caption 1 it says 0.1
    found = (hard(0.9, 0.2, 0.4, 0.1) + hard(0.5, 0.0, 0.1, 0.3)) / 2
    meant = (hard(0.9, 0.1) + hard(0.5, 0.1)) / 2
    assert one_group(cosines, true, torch.tensor(10.0)).item() == pytest.approx((found + meant) / 2, abs=1e-5)


def test_captions_of_a_picture_get_groups_of_their_own():
    # Group 0 is nearest to both captions of picture 0, and leads the first by 0.05, as group 1 does the second.
    cosines = torch.tensor([[[0.9, 0.8], [0.1, 0.2], [0.0, 0.0]], [[0.1, 0.3], [0.5, 0.6], [0.9, 0.2]]])
    true = torch.tensor([[True, True], [False, True]])
    assert matched(cosines, true)[true].tolist() == [0, 1, 0]
    assert matched(cosines[:, :, :1], true[:, :1])[0].tolist() == [0]


def test_two_captions_of_a_picture_in_one_group_cost_more_than_in_two():
    true = torch.ones(1, 2, dtype=torch.bool)
    one_, two = torch.tensor([[[0.9, 0.9], [0.1, 0.1]]]), torch.tensor([[[0.9, 0.1], [0.1, 0.9]]])
    assert one_group(one_, true, torch.tensor(20.0)) > 10 * one_group(two, true, torch.tensor(20.0))


def test_a_question_without_a_true_caption_costs_nothing_and_one_caption_is_enough():
    cosines = torch.rand(3, 4, 1)
    assert one_group(cosines, torch.zeros(3, 1, dtype=torch.bool), torch.tensor(9.0)) == 0
    assert torch.isfinite(one_group(cosines, torch.ones(3, 1, dtype=torch.bool), torch.tensor(9.0)))


def test_even_use_costs_nothing_and_one_group_for_all_the_most():
    assert unevenness(torch.full((2, 4, 9), 0.25)).item() == pytest.approx(0, abs=1e-6)
    assert unevenness(torch.tensor([1.0, 0.0, 0.0, 0.0])[None, :, None].expand(2, 4, 9)) == pytest.approx(math.log(4))
    # each picture may use one group, if another uses another
    assert unevenness(torch.eye(4)[:, :, None].expand(4, 4, 9)).item() == pytest.approx(0, abs=1e-6)


def test_a_step_shows_mosaics_of_four_and_whole_scenes(shared_cache: Path):
    objects, scenes = pictures("objects", 12, 0, 32), pictures("scenes", 12, 1_000_000, 32)
    draw = np.random.default_rng(0)
    images, things = pictured(Lesson(objects=8, scenes=3, side=32), objects, scenes, draw)
    assert images.shape == (5, 32, 32, 3)
    assert [len(some) for some in things[:2]] == [4, 4]
    for image, some in zip(images[2:], things[2:], strict=True):
        place = next(at for at, other in enumerate(scenes.images) if np.array_equal(image, other))
        assert some == scenes.things[place]


def test_what_is_true_of_an_object_is_true_of_its_picture():
    things: list = [["a", "b"], ["c"], ["d", "e"]]
    true = np.array([[True, False], [False, False], [False, False], [False, True], [True, False]])
    captions, fits = answers(["x", "y"], true, things)
    assert captions == ["x", "y"]
    assert fits.tolist() == [[True, False], [False, False], [True, True]]
    assert answers([], np.zeros((5, 0), bool), things)[1].shape == (3, 0)


def test_at_the_start_a_group_is_what_its_patches_are_and_not_the_rest_of_the_picture():
    tiny = started(SMALL, seed=0, temperature=20.0, residual=0.1, sharp=2.0)
    vision = tiny.network.eval().vision_model
    with torch.no_grad():
        tokens = vision.embeddings(torch.randn(1, 3, 32, 32))
        before, _, attention = vision.encoder.stages[0](tokens, None, True)
        held = attention[0].argmax(0)
        assert len(held.unique()) > 1
        group = held.mode().values
        noise = 0.1 * torch.randn_like(tokens)
        moved = []
        for touched in (held == group, held != group):
            after = vision.encoder.stages[0](tokens + noise * touched[None, :, None])[0]
            moved.append((after - before)[0, group].norm().item())
    assert moved[0] > 3 * moved[1]


def curve(out: Path) -> list[tuple]:
    lines = [json.loads(line) for line in (out / "groupvit" / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["groups"], line["whole"], line["lr"]) for line in lines]


def test_a_stopped_training_goes_on_to_the_same_weights_and_the_method_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = fit(RECIPE, tmp_path / "whole", CPU)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "interruptible", stopping_at(3))
        with pytest.raises(Stopped, match="stopped at step 3 of 4"):
            fit(RECIPE, tmp_path / "parts", CPU)
    with pytest.raises(DataError, match="belongs to another recipe"):
        fit(replace(RECIPE, lr=1e-3), tmp_path / "parts", CPU)
    parts = fit(RECIPE, tmp_path / "parts", CPU)
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    one_, other = weights_file.load(whole), weights_file.load(parts)
    for key, value in one_.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[key]), key
    assert one_.tiny
    method = make(weights=str(whole))
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    red, blue = method.predict(image, ["the red circle", "the blue star"])
    assert (method.card["size"], red.heat.shape) == (32, pixels_of(image, 32, 8)[0, ::8, ::8].shape)
    assert not np.array_equal(red.heat, blue.heat)


def test_the_shipped_recipe_is_read_whole_and_takes_no_stage(tmp_path: Path):
    recipe = one(GroupViTRecipe, "shapes", "groupvit", {"lr": "1e-3"}, FOLDER)
    assert (recipe.lr, recipe.network.text_length) == (1e-3, 20)
    assert train.recipes == ("shapes",)  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="has no stages"):
        train("shapes", out=tmp_path, stage="1")
