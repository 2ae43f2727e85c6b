"""AMR's training: what an image shows and nothing else, the authors' optimiser, and stopping without a trace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.amrs import amr_state, tripled
from PIL import Image

import baselines.amr as amr
from baselines.amr import labelled
from baselines.amr.labelled import Augmentation, ShownImages, augmented, labelled_images
from baselines.amr.layout import aliases
from baselines.amr.network import AmrConfig, class_names
from baselines.amr.recipe import AmrRecipe
from baselines.amr.train import FOLDER, AmrTrainer, CamTrainer, _objects, train
from baselines.train import fitting
from risbench import DataError, UsageError, load_split
from tris_model.files import read
from tris_model.tiny_clip import Pictures, Thing
from tris_model.train import one
from tris_model.train.loop import Stopped

CPU = torch.device("cpu")
SMALL = """
[amr]
split = "shapes_val"
limit = 10
batch = 4
epochs = 2
long = [40, 64]
crop = 48
quirks = "repaired"
trunk = "drawn"

[amr.network]
classes = "shapes"
stem = 16
planes = [8, 8, 16, 16]
depth = [1, 1, 1, 1]

[amr.cam]
epochs = 2
objects = 1
holes = 0
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(SMALL)
    return str(path)


def stopping_after(steps: int) -> Callable:
    """In place of ``interruptible``: Ctrl-C after that many steps."""

    @contextmanager
    def interruptible() -> Iterator[Callable[[], bool]]:
        done = iter(range(1, 1000))
        yield lambda: next(done) >= steps

    return interruptible


def objects(kind: str, count: int, first: int, size: int) -> Pictures:
    """In place of drawn pictures of one object, whose processes would take longer than this whole file."""
    draw = np.random.default_rng(first)
    images = draw.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    things = [[Thing(shape, "red", "large", "plain", 0.5, 0.5)] for shape in draw.choice(class_names("shapes"), count)]
    return Pictures(images, things, [[[]]] * count)


def test_both_stages_go_on_to_the_same_weights_where_they_were_stopped(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("baselines.amr.train.drawn_pictures", objects)
    whole = train(recipe, out=tmp_path / "whole")
    for stage, steps in (("cam", 3), ("amr", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(fitting, "interruptible", stopping_after(steps))
            with pytest.raises(Stopped, match=f"stopped at step {steps} of 4"):
                train(recipe, out=tmp_path / "parts", stage=stage)  # pyright: ignore[reportArgumentType]
        train(recipe, out=tmp_path / "parts", stage=stage)  # pyright: ignore[reportArgumentType]
    parts = tmp_path / "parts" / "amr.safetensors"
    one_, other = read(whole), read(parts)
    assert one_.state.keys() == other.state.keys()
    for key, value in one_.state.items():
        assert value.equal(other.state[key]), key
    assert one_.metadata == other.metadata
    network = amr.load(whole)
    assert network.config == AmrConfig("shapes", 16, (8, 8, 16, 16), (1, 1, 1, 1))
    # The plain branch and the modulated one's first layer are the CAM network's still.
    cam = read(tmp_path / "whole" / "amr_cam.safetensors").state
    state = network.state_dict()
    assert all(value.equal(state[key]) for key, value in cam.items() if key.startswith("resnet50."))
    assert state["resnet50_2.layer1.0.conv2.weight"].equal(cam["resnet50.layer1.0.conv2.weight"])
    assert not state["resnet50_2.layer2.0.conv2.weight"].equal(cam["resnet50.layer2.0.conv2.weight"])
    assert not state["classifier.weight"].equal(cam["classifier.weight"])
    with pytest.raises(DataError, match="belongs to another recipe"):
        train(recipe, out=tmp_path / "parts", rate2="0.3")
    assert train(recipe, out=tmp_path / "parts") == parts
    assert json.loads(one_.metadata["recipe"])["cam"]["objects"] == 1


def test_labels_are_the_categories_of_the_objects_and_nothing_else():
    split = load_split("shapes_val").first_images(12)
    paths, labels = labelled_images(split, "shapes")
    assert labels.shape == (12, 8)
    for samples, path, row in zip(split.by_image(), paths, labels, strict=True):
        expected = {item.category for item in split.objects(samples[0].image_id)}
        assert path == samples[0].image_path
        assert {name for name, there in zip(class_names("shapes"), row, strict=True) if there} == expected
    with pytest.raises(DataError, match="has no object of a class of 'voc'"):
        labelled_images(split, "voc")


def test_an_image_is_resized_normalised_mirrored_cropped_and_holed_in_that_order():
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    how = Augmentation((50, 50), 64, holes=0)
    shown = [augmented(image, how, np.random.default_rng(seed)) for seed in range(40)]
    plain = ((image / 255.0 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)).astype(np.float32).transpose(2, 0, 1)
    mirrored, tops = 0, set()
    for one_ in shown:
        assert one_.shape == (3, 64, 64)
        rows, columns = (np.flatnonzero(one_.any(0).any(axis)) for axis in (1, 0))
        inside = one_[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        turned = not np.array_equal(inside, plain)
        assert np.array_equal(inside, plain[:, :, ::-1] if turned else plain)
        mirrored += turned
        tops.add(int(rows[0]))
    assert 10 < mirrored < 30
    assert {0, 34} >= {min(tops) > 34, max(tops) > 34} or max(tops) <= 34
    cropped = augmented(image, Augmentation((50, 50), 20), np.random.default_rng(0))
    assert any(
        np.array_equal(cropped, source[:, y : y + 20, x : x + 20])
        for source in (plain, plain[:, :, ::-1])
        for y in range(11)
        for x in range(31)
    )
    holed = augmented(image, Augmentation((50, 50), 20, holes=3, hole=8), np.random.default_rng(0))
    assert ((holed == cropped) | (holed == 0)).all()
    assert 16 <= (holed == 0).all(0).sum() <= 3 * 64
    resized = augmented(image, Augmentation((25, 25), 25), np.random.default_rng(1))
    small = np.asarray(Image.fromarray(image).resize((25, 15), Image.Resampling.BICUBIC))
    rows = np.flatnonzero(resized.any(0).any(1))
    assert len(rows) == 15
    expected = ((small / 255.0 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)).astype(np.float32).transpose(2, 0, 1)
    assert any(
        np.array_equal(resized[:, rows[0] : rows[0] + 15], source) for source in (expected, expected[:, :, ::-1])
    )


def test_ranks_share_a_batch_and_an_epoch_shows_each_image_at_most_once(monkeypatch: pytest.MonkeyPatch):
    def images() -> ShownImages:
        return ShownImages(
            lambda place: np.full((8, 8, 3), place, np.uint8), np.eye(10, dtype=np.float32), Augmentation((8, 8), 8),
            batch=4, seed=3,
        )  # fmt: skip

    whole = images()
    assert whole.an_epoch == 2  # two images are left out, others in the next epoch
    alone = [whole.take(whole.start(step)) for step in range(4)]
    for epoch in (alone[:2], alone[2:]):
        chosen = np.concatenate([labels.argmax(1) for _, labels in epoch])
        assert len(set(chosen.tolist())) == 8
    monkeypatch.setattr(labelled, "world", lambda: 2)
    halves = []
    for number in (0, 1):
        monkeypatch.setattr(labelled, "rank", lambda number=number: number)
        part = images()
        halves.append([part.take(part.start(step)) for step in range(4)])
    for step, (shown, labels) in enumerate(alone):
        assert np.array_equal(np.concatenate([half[step][0] for half in halves]), shown)
        assert np.array_equal(np.concatenate([half[step][1] for half in halves]), labels)
    with pytest.raises(DataError, match="10 images with a class do not fill a batch of 16"):
        ShownImages(
            lambda place: np.zeros((8, 8, 3), np.uint8), np.eye(10, dtype=np.float32), Augmentation((8, 8), 8),
            batch=16, seed=0,
        )  # fmt: skip


@pytest.mark.parametrize(("quirks", "momentum"), [("authors", 1e-4), ("repaired", 0.9)])
def test_the_optimiser_has_the_authors_three_groups_and_their_momentum(
    quirks: str, momentum: float, recipe: str, tmp_path: Path
):
    first = {key: value for key, value in amr_state().items() if key.startswith(("resnet50.", "classifier."))}
    names = {name for key in first for name in (key, *aliases(key))}
    torch.save({key: value for key, value in tripled(amr_state()).items() if key in names}, tmp_path / "cam.pth")
    resnet = {key.removeprefix("resnet50."): value for key, value in first.items() if key.startswith("resnet50.")}
    torch.save(resnet, tmp_path / "resnet.pth")
    own = AmrRecipe(
        "shapes_val", limit=4, batch=2, imagenet=str(tmp_path / "resnet.pth"), quirks=quirks,  # pyright: ignore[reportArgumentType]
        network=AmrConfig("voc", 16, (8, 8, 16, 32), (2, 1, 1, 2)),
    )  # fmt: skip
    own = replace(own, cam=replace(own.cam, start=str(tmp_path / "cam.pth")))
    with pytest.raises(DataError, match="has no object of a class of 'voc'"):
        AmrTrainer(own, tmp_path / "none", CPU, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baselines.amr.train.labelled_images", lambda split, classes: ([], np.ones((4, 20), np.float32)))
        trainer = AmrTrainer(own, tmp_path / "none", CPU, None)
        groups = trainer.optimiser.param_groups
        assert [group["initial_lr"] for group in groups] == [0.01, 0.1, 0.01]
        assert {(group["momentum"], group["weight_decay"]) for group in groups} == {(momentum, 1e-4)}
        assert [len(group["params"]) for group in groups] == [
            sum(name.startswith(start) for name, _ in trainer.network.named_parameters())
            for start in ("resnet50.", "resnet50_2.", "classifier")
        ]
        state = trainer.network.state_dict()
        assert state["resnet50_2.layer3.0.conv2.weight"].equal(resnet["layer3.0.conv2.weight"])
        assert not state["classifier2.weight"].equal(first["classifier.weight"])
        cam = CamTrainer(own.first_stage(), CPU, None)
        assert [group["initial_lr"] for group in cam.optimiser.param_groups] == [0.01, 0.1]
    assert trainer.rate(0, 16) == 1
    assert trainer.rate(4, 16) == pytest.approx(0.75**0.9)
    assert (own.long, own.crop, own.epochs, own.batch) == ((320, 640), 512, 8, 2)


def test_recipes_of_the_papers_size_have_the_authors_numbers():
    assert set(train.recipes) >= {"shapes", "refcoco", "refcoco+", "refcocog_umd", "refcocog_google"}  # type: ignore[attr-defined]
    recipe = one(AmrRecipe, "refcoco", "amr", {}, FOLDER)
    assert (recipe.batch, recipe.epochs, recipe.long, recipe.crop) == (16, 8, (320, 640), 512)
    assert (recipe.rate1, recipe.rate2, recipe.head_rate, recipe.weight_decay) == (0.01, 0.1, 0.01, 1e-4)
    assert (recipe.power, recipe.quirks, recipe.momentum, recipe.network.classes) == (0.9, "authors", 1e-4, "coco")
    assert recipe.network == AmrConfig("coco")
    cam = recipe.first_stage()
    assert (cam.epochs, cam.cam.rate, cam.cam.head_rate, cam.cam.holes, cam.hole) == (8, 0.01, 0.1, 3, 128)


def test_a_wrong_recipe_or_stage_is_refused_in_a_line(recipe: str, tmp_path: Path):
    with pytest.raises(UsageError, match="--stage is one of cam, amr, not '2'"):
        train(recipe, out=tmp_path, stage="2")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match=r"amr_cam.safetensors is missing, .* run --stage cam first"):
        train(recipe, out=tmp_path / "a", stage="amr")
    with pytest.raises(UsageError, match=r"no key 'rate3'"):
        train(recipe, out=tmp_path, rate3="1")
    with pytest.raises(UsageError, match=r"amr.long=64,40: give the smaller number first"):
        train(recipe, out=tmp_path, long="64,40")
    with pytest.raises(UsageError, match=r"give a CAM checkpoint"):
        train(recipe, out=tmp_path / "b", **{"cam.start": str(tmp_path / "absent.pth")})
    with pytest.raises(UsageError, match=r"get .*/resnet50-19c8e357.pth and pass --set imagenet=FILE"):
        train(recipe, out=tmp_path / "c", trunk="imagenet")
    voc = AmrRecipe("shapes_val", network=AmrConfig("voc"), trunk="drawn")
    with pytest.raises(UsageError, match=r"cam.objects draws shapes; with other classes leave cam.objects out"):
        _objects(replace(voc, cam=replace(voc.cam, objects=1)).first_stage(), 4)
