"""WWbL's training: what a step shows, how it goes on, and the settings that are the authors'."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.clips import tiny_vit
from helpers.stopping import stopping_at
from helpers.training import refer_tree
from torch import nn

import baselines.wwbl
from baselines._clip.vit import load_vit
from baselines.train import fitting
from baselines.wwbl.loss import WWbLWeights
from baselines.wwbl.network import WWbLConfig
from baselines.wwbl.train import TABLE, CaptionOrder, WWbLRecipe, WWbLTrainer, started, train
from risbench import DataError, UsageError, load_split
from tris_model.files import read
from tris_model.train.loop import Stopped

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    refer_tree(folder, images=7)
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> WWbLRecipe:
    clip = tiny_vit(tmp_path_factory.mktemp("clip") / "clip.safetensors")
    sizes = WWbLConfig(widths=((4,), (6,), (load_vit(clip).config.embed,)), up=4, image_size=32, prompt="{}")
    return WWbLRecipe(split="refcoco_train", teacher=str(clip), network=sizes, side=32, batch=3, epochs=3)


def trained(recipe: WWbLRecipe, root: Path, out: Path) -> Path:
    return fitting.fit(TABLE, recipe, lambda: WWbLTrainer(recipe, CPU, root), out, CPU, root)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_stopped_training_goes_on_to_the_same_weights(
    recipe: WWbLRecipe, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimiser: str
):
    given = replace(recipe, optimiser=optimiser, schedule="cosine", warmup=2, clip=1.0, texts=2)  # type: ignore[arg-type]
    whole = read(trained(given, root, tmp_path / "whole")).state
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "interruptible", stopping_at(2))  # this loop looks once a step
        with pytest.raises(Stopped, match="stopped at step 3 of 6"):
            trained(given, root, tmp_path / "parts")
    again = read(trained(given, root, tmp_path / "parts"))
    assert all(value.equal(whole[key]) for key, value in again.state.items())
    log = [json.loads(line) for line in (tmp_path / "parts/wwbl/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [*range(6)]
    assert {"area", "relevance", "background", "foreground", "loss"} <= set(log[0])


def test_a_trained_network_is_a_method_that_names_its_clip(recipe: WWbLRecipe, root: Path, tmp_path: Path):
    path = trained(replace(recipe, epochs=1), root, tmp_path)
    network = baselines.wwbl.load(path)
    assert network.config.widths == recipe.network.widths
    method = baselines.wwbl.make(weights=str(path), clip=recipe.teacher)
    assert method.weights_notes == ()
    assert method.card["trained_on"] == "refcoco_train"
    answer = method.predict(np.zeros((20, 30, 3), np.uint8), ["red dog"])[0]
    assert answer.heat is not None
    assert answer.heat.shape == (32, 32)


def test_a_step_shows_each_image_once_an_epoch_with_one_of_its_expressions(recipe: WWbLRecipe, root: Path):
    split = load_split("refcoco_train", root)
    texts = {sample.text: sample.image_id for sample in split}
    order = CaptionOrder(split, recipe)
    assert order.an_epoch == 2
    shown = [texts[text] for step in range(2) for text in order.start(step).texts]
    assert sorted(shown) == sorted(set(texts.values()))
    assert order.start(3).texts == CaptionOrder(split, recipe).start(3).texts
    assert len(CaptionOrder(split, replace(recipe, batch=4)).start(0).texts) == 4
    # Images that do not fill a batch are left out.
    assert CaptionOrder(split, replace(recipe, batch=4)).an_epoch == 1
    both = CaptionOrder(split, replace(recipe, texts=2)).start(0)
    assert len(both.pending) == 3
    assert [texts[one] for one in both.texts[::2]] == [texts[one] for one in both.texts[1::2]]
    assert len(set(both.texts)) == 6


def test_a_mirrored_image_changes_sides_in_its_text_only_where_that_is_wanted(recipe: WWbLRecipe, root: Path):
    split = load_split("refcoco_train", root)
    own = {sample.text for sample in split}
    steps = range(0, 8)
    for flip, unchanged in (("image", True), ("both", False), ("none", True)):
        order = CaptionOrder(split, replace(recipe, flip=flip))  # type: ignore[arg-type]
        batches = [order.start(step) for step in steps]
        mirrored = [turned for batch in batches for turned in batch.mirrored]
        assert any(mirrored) == (flip != "none")
        assert all(text in own for batch in batches for text in batch.texts) == unchanged
    order = CaptionOrder(split, recipe)
    batch = order.start(0)
    plain = np.stack([one.result() for one in batch.pending])
    images = order.images(batch).numpy()
    for at, turned in enumerate(batch.mirrored):
        assert np.array_equal(images[at], plain[at][:, ::-1] if turned else plain[at])


def test_words_are_dropped_and_the_prompt_is_put_round_what_is_left(recipe: WWbLRecipe, root: Path):
    split = load_split("refcoco_train", root)
    network = replace(recipe.network, prompt="image of {}")
    order = CaptionOrder(split, replace(recipe, keep_words=0.0, network=network))
    assert set(order.start(0).texts) == {"image of "}


def test_the_defaults_and_the_recipes_are_the_authors():
    from baselines.wwbl.train import FOLDER
    from tris_model.train import one

    assert train.recipes == ("refcoco", "refcoco+", "refcocog_google", "refcocog_umd", "referit", "shapes")  # type: ignore[attr-defined]
    for name in train.recipes[:-1]:  # type: ignore[attr-defined]
        made = one(WWbLRecipe, name, TABLE, {}, FOLDER)
        assert made.network == WWbLConfig()
        assert made.weights == WWbLWeights(0.25, 16.0, 0.5, 0.25)
        assert (made.optimiser, made.lr, made.momentum, made.weight_decay) == ("sgd", 1.2e-3, 0.9, 1e-4)
        assert (made.batch, made.side, made.pairs, made.pixels, made.flip) == (32, 304, "all", "network", "image")
        assert (made.schedule, made.warmup, made.texts, made.keep_words, made.clip) == ("constant", 0, 1, 1.0, 0.0)


def test_the_trunk_starts_from_torchvisions_vgg16(recipe: WWbLRecipe, tmp_path: Path):
    torch.manual_seed(0)
    sizes = WWbLConfig(widths=((4,), (8,)), up=4)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1))
    state = {f"features.{key}": value for key, value in layers.state_dict().items()}
    path = tmp_path / "vgg.pth"
    torch.save({**state, "classifier.0.weight": torch.zeros(3)}, path)
    network = started(replace(recipe, network=sizes, vgg=str(path)))
    for key, value in layers.state_dict().items():
        assert torch.equal(network.E.Org_model.state_dict()[key], value)
    with pytest.raises(UsageError, match=r"no weights file .*vgg16-397923af\.pth and pass --set vgg=FILE"):
        started(replace(recipe, vgg="absent.pth"))
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(DataError, match=r"no VGG16 of torchvision: it has no key features\.0\.weight"):
        started(replace(recipe, vgg=str(path)))


def test_bad_recipes_are_refused_in_a_line(tmp_path: Path, root: Path, recipe: WWbLRecipe):
    with pytest.raises(UsageError, match="leave --stage out"):
        train("shapes", out=tmp_path, stage="1")
    with pytest.raises(UsageError, match=r"no key 'sied': did you mean 'side'"):
        train("shapes", out=tmp_path, sied="3")
    with pytest.raises(UsageError, match=r"ViT-B-32\.pt.*--set teacher=FILE"):
        train("refcoco", out=tmp_path, data_root=root, val="none", select="last")
    with pytest.raises(UsageError, match=r"text vectors of the tiny ViT.*but"):
        WWbLTrainer(replace(recipe, network=WWbLConfig(widths=((4,), (5,)))), CPU, root)
