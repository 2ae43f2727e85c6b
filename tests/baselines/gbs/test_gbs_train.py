"""GbS's training: what a step shows, how it goes on, and the settings that are the authors'."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.gbss import gbs
from helpers.stopping import stopping_at
from helpers.training import refer_tree
from torch import nn

import baselines.gbs
from baselines._bert import BertSizes
from baselines.gbs import objects, trunk
from baselines.gbs.config import GbsConfig
from baselines.gbs.objective import GbsWeights
from baselines.gbs.objects import ObjectPairs, name_of
from baselines.gbs.pairs import PairOrder, cropped, with_words_dropped
from baselines.gbs.recipe import GbsRecipe, ObjectsRecipe
from baselines.gbs.train import FOLDER, TABLE, GbsTrainer, started, train
from baselines.gbs.trunk import KINDS, TrunkRecipe, TrunkTrainer
from baselines.train import fitting
from risbench import DataError, UsageError, load_split
from tris_model.files import read
from tris_model.tiny_clip import Pictures, Thing
from tris_model.train import one
from tris_model.train.loop import Stopped

CPU = torch.device("cpu")
SIZES = GbsConfig(
    widths=((4,), (6,), (8,)), decoder=(6,), bottleneck=5, words_side=4, image_size=32, border=(0, 0), resize="square",
    bert=BertSizes(positions=12, width=16, depth=1, heads=2, hidden=16, dropout=0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    refer_tree(folder, images=7)
    return folder


@pytest.fixture(scope="module")
def recipe() -> GbsRecipe:
    return GbsRecipe(split="refcoco_train", network=SIZES, side=32, batch=1, epochs=1, texts=1, shown="mirrored")


def trained(recipe: GbsRecipe, root: Path, out: Path) -> Path:
    return fitting.fit(TABLE, recipe, lambda: GbsTrainer(recipe, CPU, root), out, CPU, root)


@pytest.mark.parametrize("how", [
    {"texts": 0, "shown": "cropped", "epochs": 1, "schedule": "steps", "step": 2},
    {"texts": 2, "optimiser": "adamw", "schedule": "cosine", "warmup": 1, "clip": 1.0, "epochs": 2, "gate": 2.0},
])  # fmt: skip
def test_a_stopped_training_goes_on_to_the_same_weights(
    recipe: GbsRecipe, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict
):
    given = replace(recipe, **how)
    whole = read(trained(given, root, tmp_path / "whole")).state
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "interruptible", stopping_at(2))  # this loop looks once a step
        with pytest.raises(Stopped, match="stopped at step 3 of"):
            trained(given, root, tmp_path / "parts")
    again = read(trained(given, root, tmp_path / "parts"))
    assert all(value.equal(whole[key]) for key, value in again.state.items())
    log = [json.loads(line) for line in (tmp_path / "parts/gbs/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [*range(len(log))]
    assert {"first", "second", "unconditioned", "negative", "words", "sentences", "loss"} <= set(log[0])


def test_a_trained_network_is_a_method_and_its_bert_has_learnt(recipe: GbsRecipe, root: Path, tmp_path: Path):
    path = trained(recipe, root, tmp_path)
    method = baselines.gbs.make(weights=str(path))
    assert method.card["trained_on"] == "refcoco_train"
    answer = method.predict(np.zeros((20, 30, 3), np.uint8), ["red dog"])[0]
    assert answer.heat is not None
    assert answer.heat.shape == (8, 8)
    state, before = read(path).state, GbsTrainer(recipe, CPU, root).network.state_dict()
    key = "model.caption_model.model.embeddings.word_embeddings.weight"
    assert not state[key].equal(before[key])
    unread = "model.image_model.no_conditions.0.cap_fc.weight"
    assert state[unread].equal(before[unread])


def test_a_bert_of_a_file_stays_as_it_is(recipe: GbsRecipe, root: Path, tmp_path: Path):
    given = gbs()
    torch.save(given.bert.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghij"]) + "\n")
    frozen = replace(recipe, bert=str(tmp_path))
    trainer = GbsTrainer(frozen, CPU, root)
    assert len(trainer.optimiser.param_groups) == 2
    assert json.loads(trainer.metadata["config"])["bert"]["width"] == 64
    state = read(trained(frozen, root, tmp_path / "out")).state
    assert all(value.equal(state[f"model.caption_model.model.{key}"]) for key, value in given.bert.state_dict().items())


def test_the_authors_show_every_expression_once_with_its_image(recipe: GbsRecipe, root: Path):
    split = load_split("refcoco_train", root)
    images = {sample.text: sample.image_id for sample in split}
    given = replace(recipe, texts=0, batch=2, shown="cropped")
    order = PairOrder(split, given)
    assert order.an_epoch == len(split) // 4
    shown = [one for step in range(order.an_epoch) for one in order.drawn(step)]
    assert len({one.texts for one in shown}) == 4 * order.an_epoch
    numbers = [group[0].image_id for group in split.by_image()]
    assert all(images[one.texts[0]] == numbers[one.image] for one in shown)
    assert order.drawn(order.an_epoch + 1) == PairOrder(split, given).drawn(order.an_epoch + 1)


def test_an_epoch_of_images_shows_each_once_with_several_of_its_expressions(recipe: GbsRecipe, root: Path):
    split = load_split("refcoco_train", root)
    order = PairOrder(split, replace(recipe, texts=2, shown="cropped"))
    assert order.an_epoch == 3
    shown = [one for step in range(3) for one in order.drawn(step)]
    assert len({one.image for one in shown}) == 6
    own = {sample.text for sample in split}
    assert all(len(one.texts) == 2 and set(one.texts) <= own for one in shown)
    assert any(one.turned[0] for one in shown)
    assert not any(one.turned[1] for one in shown)  # upside down is not the authors'
    taken = order.take(order.start(0))
    assert taken.first.shape == (1, 3, 32, 32)
    assert [len(texts) for texts in taken.texts] == [2, 2]
    assert [tuple(one.shape) for one in taken.alphas] == [(1, 1, 32, 32)] * 3


def test_a_crop_is_a_square_of_most_of_the_image_and_grey_weighs_blue_as_red():
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, :, 2] = np.arange(100)
    edges, grey = [], []
    for seed in range(60):
        found = cropped(image, 100, seed % 2 == 1, np.random.default_rng(seed)).astype(int)
        blue = found[50, :, 2][:: -1 if seed % 2 else 1]
        if found[:, :, 0].any():
            grey.append((found[0, 50, 0], blue[50]))
        else:
            edges.append(blue[-1] - blue[0])
    assert min(edges) > 100 * 0.7**0.5 - 4
    assert max(edges) > 92
    assert 0 < len(grey) < 20
    assert cropped(np.zeros((10, 400, 3), np.uint8), 16, False, np.random.default_rng(0)).shape == (16, 16, 3)
    plain = np.full((20, 20, 3), (0, 0, 200), np.uint8)
    values = {int(cropped(plain, 8, False, np.random.default_rng(seed))[0, 0, 0]) for seed in range(60)}
    assert values == {0, round(200 * 0.299)}


def test_words_are_dropped_but_never_all():
    draw = np.random.default_rng(0)
    texts = [with_words_dropped("the red dog", 0.5, draw) for _ in range(100)]
    assert all(text and set(text.split()) <= {"the", "red", "dog"} for text in texts)
    assert len(set(texts)) == 7
    assert with_words_dropped("the red dog", 0.0, draw) == "the red dog"
    assert with_words_dropped("the red dog", 1.0, draw) == "the"
    assert with_words_dropped("", 0.5, draw) == ""


@pytest.fixture
def drawn_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn in this process: to start others takes longer than the test."""

    def few(kind: str, count: int, first: int, size: int) -> Pictures:
        things = [Thing(*names[at % 4 :][:1], "red", "small", "plain", 0.5, 0.5) for at in range(count)]
        images = np.random.default_rng(first).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        return Pictures(images, [[thing] for thing in things], [[] for _ in things])

    names = ["circle", "square", "star", "ring"]
    monkeypatch.setattr(objects, "drawn_pictures", few)
    monkeypatch.setattr(trunk, "drawn_pictures", few)


@pytest.mark.usefixtures("drawn_here")
def test_single_objects_are_named_by_what_they_are():
    thing = Thing("star", "red", "medium", "dotted", 0.5, 0.5)
    names = {name_of(thing, np.random.default_rng(seed)) for seed in range(200)}
    assert names == {
        " ".join(words.split()) for the in ("the", "") for pattern in ("dotted", "") for colour in ("red", "")
        for words in (f"{the} {pattern} {colour} star",)
    }  # fmt: skip
    pairs = ObjectPairs(20, 16, batch=2, texts=2, seed=0)
    assert pairs.an_epoch == 5
    step = pairs.take(pairs.start(7))
    assert step.first.shape == (2, 3, 16, 16)
    assert len(step.texts[0]) == len(step.texts[1]) == 4
    assert all(torch.equal(a, b) for a, b in zip(step.alphas, pairs.take(7).alphas, strict=True))


@pytest.mark.usefixtures("drawn_here")
def test_the_first_stages_are_handed_on(recipe: GbsRecipe, root: Path, tmp_path: Path):
    whole = replace(
        recipe, limit=4, trunk=TrunkRecipe(pictures=20, epochs=1, batch=10),
        objects=ObjectsRecipe(pictures=20, epochs=1, batch=5, scale=0.5),
    )  # fmt: skip
    stage1, stage2 = whole.first_stage(), whole.second_stage()
    assert (stage1.widths, stage1.pictures, stage1.epochs, stage1.batch) == (SIZES.widths, 20, 1, 10)
    assert (stage2.epochs, stage2.batch, stage2.limit) == (1, 5, 4)
    first = fitting.fit("gbs_trunk", stage1, lambda: TrunkTrainer(stage1, CPU), tmp_path, CPU, root)
    begun = GbsTrainer(stage2, CPU, root, first, objects=True)
    state = read(first).state
    assert begun.network.state_dict()["model.image_model.backbone.layers.4.weight"].equal(
        state["backbone.layers.4.weight"]
    )
    assert sum(key.startswith("heads.") for key in state) == 2 * len(KINDS)
    build = lambda: GbsTrainer(stage2, CPU, root, first, objects=True)  # noqa: E731
    after = fitting.fit("gbs_objects", stage2, build, tmp_path, CPU, root)
    last = GbsTrainer(whole, CPU, root, after).network.state_dict()
    assert all(value.equal(last[key]) for key, value in read(after).state.items())


def test_the_trunk_starts_from_torchvisions_vgg16_with_batchnorm(recipe: GbsRecipe, tmp_path: Path):
    torch.manual_seed(0)
    layers = nn.Sequential(*GbsTrunk.of(SIZES))
    state = {f"features.{key}": value + 1 for key, value in layers.state_dict().items()}
    path = tmp_path / "vgg.pth"
    torch.save({**state, "classifier.0.weight": torch.zeros(3)}, path)
    network = started(replace(SIZES, bert=replace(SIZES.bert, vocabulary=9)), replace(recipe, vgg=str(path)))
    for key, value in network.image_model.backbone.layers.state_dict().items():
        assert torch.equal(value, state[f"features.{key}"])
    with pytest.raises(UsageError, match=r"no weights file .*vgg16_bn-6c64b313\.pth and pass --set vgg=FILE"):
        started(SIZES, replace(recipe, vgg="absent.pth"))
    torch.save({"features.0.weight": torch.zeros(1)}, path)
    with pytest.raises(DataError, match=r"no VGG16 with BatchNorm of torchvision: it has no key features\.1"):
        started(SIZES, replace(recipe, vgg=str(path)))


class GbsTrunk:
    """torchvision's layers of a VGG with BatchNorm."""

    @staticmethod
    def of(config: GbsConfig) -> list[nn.Module]:
        layers: list[nn.Module] = []
        before = 3
        for stage in config.widths:
            for width in stage:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                before = width
            layers.append(nn.MaxPool2d(2))
        return layers


def test_the_defaults_and_the_recipes_are_the_authors():
    assert train.recipes == ("refcoco", "refcoco+", "refcocog_google", "refcocog_umd", "referit", "shapes")  # type: ignore[attr-defined]
    for name in train.recipes[:-1]:  # type: ignore[attr-defined]
        made = one(GbsRecipe, name, TABLE, {}, FOLDER)
        assert made.network == GbsConfig()
        assert made.weights == GbsWeights(1.0, 1.0, 0.1)
        assert (made.batch, made.epochs, made.side, made.texts, made.shown) == (3, 10, 512, 0, "cropped")
        assert (made.optimiser, made.lr, made.backbone_lr, made.weight_decay) == ("adam", 1e-4, 1e-4, 1e-9)
        assert (made.schedule, made.step, made.warmup, made.clip, made.drop_words) == ("steps", 50_000, 0, 0.0, 0.0)
        assert (made.select, made.val, made.sync_bn, made.gate) == ("last", None, False, 1.0)
        assert (made.trunk.pictures, made.objects.pictures, made.precision) == (0, 0, "float32")


def test_rates_fall_to_a_tenth_step_by_step_and_the_trunk_has_its_own(recipe: GbsRecipe, root: Path):
    trainer = GbsTrainer(replace(recipe, schedule="steps", step=50_000, backbone_lr=3e-5), CPU, root)
    assert [trainer.rate(step, 10**6) for step in (0, 49_999, 50_000, 100_000)] == pytest.approx([1, 1, 0.1, 0.01])
    rest, trunk, text = trainer.optimiser.param_groups
    assert (rest["lr"], trunk["lr"], text["lr"]) == (1e-4, 3e-5, 1e-4)
    assert (rest["betas"], rest["eps"], rest["weight_decay"]) == ((0.9, 0.999), 1e-8, 1e-9)
    assert len(trunk["params"]) == 3 * 4
    learning = [weight for weight in trainer.network.parameters() if weight.requires_grad]
    assert sum(len(group["params"]) for group in trainer.optimiser.param_groups) == len(learning)


def test_bad_recipes_are_refused_in_a_line(tmp_path: Path, root: Path, recipe: GbsRecipe):
    with pytest.raises(UsageError, match="leave --stage out"):
        train("shapes", out=tmp_path, stage="1")
    with pytest.raises(UsageError, match=r"no key 'sied': did you mean 'side'"):
        train("shapes", out=tmp_path, sied="3")
    with pytest.raises(UsageError, match=r"gbs\.side is 4; give 8 or more"):
        GbsTrainer(replace(recipe, side=4), CPU, root)
    with pytest.raises(DataError, match=r"gbs\.batch is 9 pairs, but refcoco_train has 6 samples"):
        GbsTrainer(replace(recipe, batch=9), CPU, root)
    with pytest.raises(UsageError, match=r"there is no weights file bert-base-uncased.*get model.safetensors from"):
        train("refcoco", out=tmp_path, data_root=root)
