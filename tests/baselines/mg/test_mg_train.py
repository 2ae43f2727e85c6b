"""MG's training: what a step shows, how it goes on, and the settings that are the authors'."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.stopping import stopping_at
from helpers.training import refer_tree
from torch import nn

import baselines.mg
from baselines.mg.config import MgConfig
from baselines.mg.start import put_vgg
from baselines.mg.train import FOLDER, TABLE, MatchOrder, MgRecipe, MgTrainer, train
from baselines.mg.vgg import MgLevels
from baselines.train import fitting
from risbench import DataError, UsageError, load_split
from tris_model.files import read
from tris_model.train import one
from tris_model.train.loop import Stopped

CPU = torch.device("cpu")
SIZES = MgConfig(
    widths=((4,), (6, 6), (8, 8)), levels=("2_1", "2_2", "3_1", "3_2"), batchnorm=True, image_size=32, head=(8,),
    text="bilstm", embed=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    refer_tree(folder, images=7)
    return folder


@pytest.fixture(scope="module")
def recipe() -> MgRecipe:
    return MgRecipe(split="refcoco_train", network=SIZES, trunk_learns=True, batch=3, epochs=3, order="shuffled")


def trained(recipe: MgRecipe, root: Path, out: Path) -> Path:
    return fitting.fit(TABLE, recipe, lambda: MgTrainer(recipe, CPU, root), out, CPU, root)


def test_a_stopped_training_goes_on_to_the_same_weights(
    recipe: MgRecipe, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given = replace(recipe, schedule="cosine", warmup=2, clip=1.0, texts=2, optimiser="adamw", pads=False, short=2)
    whole = read(trained(given, root, tmp_path / "whole")).state
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "interruptible", stopping_at(2))  # this loop looks once a step
        with pytest.raises(Stopped, match="stopped at step 3 of 6"):
            trained(given, root, tmp_path / "parts")
    again = read(trained(given, root, tmp_path / "parts"))
    assert all(value.equal(whole[key]) for key, value in again.state.items())
    log = [json.loads(line) for line in (tmp_path / "parts/mg/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [*range(6)]
    assert {"word_captions", "word_images", "sentence_captions", "sentence_images", "regulariser"} <= set(log[0])
    method = baselines.mg.make(weights=str(tmp_path / "whole/mg.safetensors"))
    assert method.card["trained_on"] == "refcoco_train"
    assert method.predict(np.zeros((20, 30, 3), np.uint8), ["red dog"])[0].heat is not None


def test_the_authors_show_images_in_the_same_order_each_epoch_with_one_expression_each(recipe: MgRecipe, root: Path):
    split = load_split("refcoco_train", root)
    texts = {sample.text: sample.image_id for sample in split}
    order = MatchOrder(split, replace(recipe, order="set"))
    assert order.an_epoch == 2
    shown = [[texts[text] for text in order.start(step).texts] for step in range(4)]
    assert shown[:2] == shown[2:]
    assert [*shown[0], *shown[1]] == list(dict.fromkeys(texts.values()))
    mixed = MatchOrder(split, recipe)
    assert mixed.start(3).texts == MatchOrder(split, recipe).start(3).texts
    both = MatchOrder(split, replace(recipe, texts=2, flip="both")).start(0)
    assert (len(both.pending), len(both.texts)) == (3, 6)
    short = MatchOrder(split, replace(recipe, short=1, texts=9))
    longest = max(len(text.split()) for text in texts)
    assert max(len(text.split()) for text in short.start(0).texts) < longest
    with pytest.raises(UsageError, match=r"mg\.batch is 9, but refcoco_train has 6 images"):
        MatchOrder(split, replace(recipe, batch=9))


def test_a_frozen_trunk_stays_as_it_is(recipe: MgRecipe, root: Path, tmp_path: Path):
    plain = replace(SIZES, batchnorm=False)
    given = replace(recipe, network=plain, trunk_learns=False, epochs=1)
    before = MgTrainer(given, CPU, root).network.vgg.state_dict()  # type: ignore[union-attr]
    after = read(trained(given, root, tmp_path)).state
    assert all(torch.equal(after[f"vgg.{key}"], value) for key, value in before.items())


def test_features_from_a_file_train_the_heads(recipe: MgRecipe, root: Path, tmp_path: Path):
    texts = sorted({sample.text for sample in load_split("refcoco_train", root)})
    lengths = np.array([len(text.split()) for text in texts])
    draw = np.random.default_rng(0)
    rows = {
        name: draw.standard_normal((lengths.sum(), width)) for name, width in (("words", 4), ("lstm1", 8), ("lstm2", 8))
    }
    np.savez(tmp_path / "elmo.npz", texts=np.array(texts), lengths=lengths, **rows)
    elmo = replace(SIZES, text="elmo", mix="stored")
    given = replace(recipe, network=elmo, text=str(tmp_path / "elmo.npz"), epochs=1)
    network = baselines.mg.load(trained(given, root, tmp_path / "out"))
    assert network.text.Aggr_W.abs().sum() > 0  # type: ignore[union-attr, operator]
    with pytest.raises(UsageError, match=r"its features come from a file, --set text=FILE\.npz"):
        MgTrainer(replace(given, text="bilstm"), CPU, root)
    np.savez(
        tmp_path / "elmo.npz", texts=np.array(["a"])[:0], lengths=lengths[:0], **{k: v[:0] for k, v in rows.items()}
    )
    with pytest.raises(DataError, match="has no features of"):
        MgTrainer(given, CPU, root)


def test_the_defaults_and_the_recipes_are_the_authors():
    assert "shapes" in train.recipes  # type: ignore[attr-defined]
    for name in set(train.recipes) - {"shapes"}:  # type: ignore[attr-defined]
        made = one(MgRecipe, name, TABLE, {}, FOLDER)
        assert made.network == MgConfig(mix="stored")
        assert (made.optimiser, made.lr, made.batch, made.epochs) == ("adam", 1e-4, 32, 10)
        assert (made.order, made.flip, made.texts, made.short, made.pads) == ("set", "none", 1, 0, True)
        assert (made.schedule, made.warmup, made.weight_decay, made.clip) == ("constant", 0, 0.0, 0.0)
        assert (made.trunk_learns, made.regularised, made.gamma_words, made.gamma_match) == (False, True, 5.0, 10.0)


def test_torchvisions_vgg16_gives_the_same_features_for_pixels_from_0_to_255(tmp_path: Path):
    torch.manual_seed(0)
    config = MgConfig(widths=((4,), (5,)), levels=("1_1", "2_1"))
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1))
    path = tmp_path / "vgg.pth"
    torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, path)
    trunk = MgLevels(config)
    put_vgg(trunk, str(path))
    image = torch.randint(0, 256, (1, 3, 8, 8)).float()
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        expected = layers[:2]((image / 255 - mean[:, None, None]) / deviation[:, None, None])
        found = trunk(image)[0]
    torch.testing.assert_close(found[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=1e-5, rtol=0)
    with pytest.raises(UsageError, match=r"no weights file .*--set vgg=FILE"):
        put_vgg(trunk, "absent.pth")
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="no VGG16 of torchvision"):
        put_vgg(trunk, str(path))


def test_bad_recipes_are_refused_in_a_line(tmp_path: Path):
    with pytest.raises(UsageError, match="leave --stage out"):
        train("shapes", out=tmp_path, stage="1")
    with pytest.raises(UsageError, match=r"no key 'lrr': did you mean 'lr'"):
        train("shapes", out=tmp_path, lrr="3")
