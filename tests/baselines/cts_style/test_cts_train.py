"""The training: from boxes alone, in three stages, each of which goes on to the same weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from helpers.stopping import stopping_at

from baselines.cts_style import load
from baselines.cts_style import train as module
from baselines.cts_style.boxed import boxed_objects
from baselines.cts_style.contour import ContourSizes
from baselines.cts_style.contour_train import ContourRecipe
from baselines.cts_style.pseudo_masks import MaskRecipe, read_mask
from baselines.cts_style.recipe import CtsRecipe, NetworkRates
from baselines.cts_style.train import CtsTrainer, nearest, turned_array, turned_text
from baselines.train import fitting
from risbench import DataError, Split, UsageError, load_split
from risbench.datasets.split import Object
from tris_model.config import STAGE2, Config
from tris_model.files import read
from tris_model.train import Refs, one
from tris_model.train.loop import Stopped

CPU = torch.device("cpu")
RECIPE = """
[cts_style]
split = "shapes_val"
start = "shapes"
batch = 2
texts = 2
epochs = 1
limit = 4
text_learns = false
mirror = true
weight = 2.0
network = {stage = 2, hidden = 0, decoder = 2, pool_grid = 0}
rates = {heads = 1e-3, backbone = 1e-4}
contour = {batch = 4, epochs = 1, network = {side = 16, width = 4, depth = 1}}
masks = {processes = 1}
teaching = {begin = 0.0, end = 0.5, forget = 0.5}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(RECIPE)
    return str(path)


@pytest.fixture(scope="module")
def trained(recipe: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    assert module.train(recipe, out=out, device="cpu") == out / "cts_style.safetensors"
    return out


def same(one_: Path, other: Path) -> bool:
    first, second = read(one_).state, read(other).state
    return first.keys() == second.keys() and all(value.equal(second[key]) for key, value in first.items())


def test_the_masks_of_the_split_are_never_read(
    recipe: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Hidden(tuple):
        """An object's mask that nobody may look at."""

        def refuse(self, *_: object) -> NoReturn:
            raise AssertionError("a mask was looked at")

        __iter__ = __getitem__ = __len__ = __bool__ = __eq__ = refuse  # type: ignore[assignment]
        __hash__ = None  # type: ignore[assignment]

    objects, hidden = Split._object, []

    def without_mask(self: Split, ann: int) -> Object:
        hidden.append(ann)
        return replace(objects(self, ann), parts=Hidden(), category=None)

    monkeypatch.setattr(Split, "_object", without_mask)
    sample = load_split("shapes_val")[0]
    with pytest.raises(AssertionError, match="looked at"):
        len(sample.parts)
    out = tmp_path / "blind"
    module.train(recipe, out=out, device="cpu")
    assert hidden
    for name in ("cts_style", "cts_style_contour"):
        assert same(out / f"{name}.safetensors", trained / f"{name}.safetensors")
    made = sorted(path.name for path in (trained / "cts_style_masks").iterdir())
    assert made == sorted(path.name for path in (out / "cts_style_masks").iterdir())
    for name in made:
        assert (out / "cts_style_masks" / name).read_bytes() == (trained / "cts_style_masks" / name).read_bytes()


@pytest.mark.parametrize("stage", ["contour", "networks"])
def test_a_stopped_training_goes_on_to_the_same_weights(
    recipe: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: Any
):
    if stage == "networks":
        module.train(recipe, out=tmp_path, device="cpu", stage="contour")
        assert module.train(recipe, out=tmp_path, device="cpu", stage="masks") == tmp_path / "cts_style_masks"
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "interruptible", stopping_at(1))
        with pytest.raises(Stopped, match="stopped at step 1 of"):
            module.train(recipe, out=tmp_path, device="cpu")
    module.train(recipe, out=tmp_path, device="cpu")
    for name in ("cts_style", "cts_style_contour"):
        assert same(tmp_path / f"{name}.safetensors", trained / f"{name}.safetensors")


def test_both_networks_learn_and_differ_while_the_text_encoder_stands_still(trained: Path):
    networks = load(trained / "cts_style.safetensors")
    assert networks.second is not None
    first, second = networks.first.state_dict(), networks.second.state_dict()
    still = [key for key in first if first[key].equal(second[key]) and first[key].is_floating_point()]
    assert {key.split(".")[1] for key in still if key.startswith("backbone.")} >= {"transformer", "token_embedding"}
    assert not any(key.startswith(("attention", "output", "backbone.visual.layer")) and "running" not in key
                   and "num_batches" not in key and "bias" not in key for key in still)  # fmt: skip
    from tris_model.files import load_clip

    clip = load_clip("shapes").state_dict()
    assert first["backbone.token_embedding.weight"].equal(clip["token_embedding.weight"])
    assert not first["backbone.visual.conv1.weight"].equal(clip["visual.conv1.weight"])


def test_a_step_shows_masks_that_belong_to_their_images_and_sentences_mirrored_alike(trained: Path):
    made = CtsRecipe(
        "shapes_val", start="shapes", network=Config(stage=2, hidden=0, decoder=2, pool_grid=0), batch=2, texts=3,
        limit=4, mirror=True, text_learns=False,
    )  # fmt: skip
    trainer = CtsTrainer(made, trained / "cts_style_masks", CPU, None)
    assert trainer.an_epoch == 2
    split = load_split("shapes_val").first_images(4)
    refs, things = Refs(split), boxed_objects(split)
    batch = trainer.start(0)
    masks = trainer._masks.take(batch.masks)
    assert (len(batch.images), batch.which) == (2, [0, 0, 0, 1, 1, 1])
    for mask, place, text in zip(masks, batch.which, batch.texts, strict=True):
        flips = batch.flips[place]
        candidates = [
            at for at, thing in enumerate(things)
            if np.array_equal(mask, nearest(read_mask(trained / "cts_style_masks", thing), 96))
        ]  # fmt: skip
        assert any(text in [turned_text(own, flips) for own in refs.refs[at].texts] for at in candidates)
    terms, images = trainer.losses(trainer.network, batch, 0)
    assert images == 2
    terms["loss"].backward()
    without = [
        name for name, weight in trainer.network.named_parameters() if weight.requires_grad and weight.grad is None
    ]
    assert without == []


def test_mirrored_pixels_and_sentences_go_together():
    picture = np.arange(6).reshape(2, 3)
    assert turned_array(picture, (True, False)).tolist() == [[2, 1, 0], [5, 4, 3]]
    assert turned_array(picture, (False, True)).tolist() == [[3, 4, 5], [0, 1, 2]]
    assert turned_text("the red star on the left", (True, False)) == "the red star on the right"
    assert turned_text("the red star at the top", (False, True)) == "the red star at the bottom"


def test_the_paper_size_recipe_is_that_of_tris_stage_2_twice():
    made = one(CtsRecipe, "refcoco", "cts_style", {}, module.FOLDER)
    assert made.network == STAGE2
    assert made.batch * made.texts == 48
    assert made.rates == NetworkRates(5e-5, 5e-6, 1e-2, 0.9)
    assert (made.epochs, made.mirror, made.text_learns, made.weight, made.clip) == (15, False, True, 1.0, 0.0)
    shapes = one(CtsRecipe, "shapes", "cts_style", {"masks.proposals": "mcg.jsonl"}, module.FOLDER)
    assert shapes.masks == MaskRecipe(proposals="mcg.jsonl", processes=1)
    first = shapes.first_stage()
    assert (first.limit, first.contour.network) == (shapes.contour.limit, ContourSizes())
    assert ContourRecipe() == made.contour.__class__()


def test_what_does_not_fit_is_one_line(recipe: str, trained: Path, tmp_path: Path):
    def refused(kind: type[Exception], words: str, **options: Any) -> None:
        with pytest.raises(kind, match=words) as caught:
            module.train(options.pop("name", recipe), **{"out": tmp_path, "device": "cpu", **options})
        assert "\n" not in str(caught.value)

    refused(UsageError, "--stage is one of contour, masks, networks, not 'cam'", stage="cam")
    refused(UsageError, "run --stage contour first", stage="masks")
    refused(UsageError, "run --stage masks first", stage="networks")
    refused(UsageError, "teaching.begin is 0.9, which comes after its end", **{"teaching.begin": "0.9"})
    refused(UsageError, "unknown split 'shapes_trian'; near names", split="shapes_trian")
    refused(UsageError, r"masks\.proposals: there is no file", proposals="none.jsonl", stage=None)
    refused(DataError, "belongs to another recipe", out=trained, weight="3.0")
    refused(DataError, "holds pseudo masks of another", out=trained, **{"masks.threshold": "0.7"})
    refused(UsageError, r"cts_style needs a CLIP: get .*RN50\.pt and pass --set start=FILE", start="RN50.pt")
    refused(UsageError, "no recipe 'shape'", name="shape")
