"""Stage 2 learns from pseudo masks; presets and recipes say what they should."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.training import clip_file, refer_tree

from risbench.errors import UsageError
from tris_model import load
from tris_model.config import STAGE2
from tris_model.train import stage2
from tris_model.train.loop.optimiser import Rates
from tris_model.train.presets import PRESETS, with_preset
from tris_model.train.recipe import FOLDER, read, record
from tris_model.train.stage1 import Stage1Recipe


def requested(clip: Path, **changes: object) -> stage2.Stage2Recipe:
    network = replace(STAGE2, decoder=4, pool_grid=0)
    given = {"batch": 3, "epochs": 5, "rates": Rates(heads=1e-2, backbone=1e-3), **changes}
    return stage2.Stage2Recipe("refcoco_train", str(clip), network=network, **given)  # pyright: ignore


def left_half(at: int) -> np.ndarray:
    mask = np.zeros((24, 32), bool)
    mask[:, :16] = True
    return mask


def test_stage_2_learns_its_pseudo_masks(tmp_path: Path) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    stage2.fit(requested(clip), left_half, tmp_path, torch.device("cpu"), data)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "stage2/log.jsonl").read_text().splitlines()]
    assert len(losses) == 10
    assert losses[-1] < 0.8 * losses[0]
    assert load(tmp_path / "stage2.safetensors").config.stage == 2


@pytest.mark.parametrize(("schedule", "last"), [("authors", 1 - 1 / 4), ("poly", 1 - 3 / 4)])
def test_the_authors_schedule_counts_epochs_as_iterations(tmp_path: Path, schedule: str, last: float) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    recipe = requested(clip, epochs=2, schedule=schedule)
    stage2.fit(recipe, left_half, tmp_path, torch.device("cpu"), data)
    rates = [json.loads(line)["lr"] for line in (tmp_path / "stage2/log.jsonl").read_text().splitlines()]
    assert rates[-1] == pytest.approx(1e-2 * last**0.9, rel=1e-4)


def test_a_mirrored_image_takes_its_mask_along(tmp_path: Path) -> None:
    from risbench.datasets.load import load_split
    from tris_model.train.loop.ahead import Photographs
    from tris_model.train.loop.order import BatchOrder
    from tris_model.train.refs import Refs

    refs = Refs(load_split("refcoco_train", refer_tree(tmp_path / "data")))
    photographs = Photographs(refs.paths, 8)
    batches = BatchOrder(refs, photographs, 6, seed=1, negatives=1, mirror=True)
    batch = batches.start(0)
    assert len(set(batch.flips)) > 1
    plain = [photographs.batch([refs.refs[at].image])[0] for at in batch.refs]
    marks = torch.tensor(np.stack(plain)[..., 0])  # stands for a mask
    torch.testing.assert_close(batches.turned(marks, batch), torch.tensor(batches.images(batch)[..., 0]))


def test_presets_differ_as_the_authors_history_does() -> None:
    head = record(Stage1Recipe, with_preset(read("refcoco"), "head")["stage1"], "stage1")
    assert (head.negatives, head.weights.classification, head.weights.positive, head.weights.negative) == (3, 5, 1, 2)
    release = record(Stage1Recipe, with_preset(read("refcoco"), "release-2023-09")["stage1"], "stage1")
    assert (release.negatives, release.weights.positive, release.weights.negative) == (6, 2, 1)
    assert not release.weights.clamped
    assert set(PRESETS) == {"paper", "release-2023-09", "autumn-2023", "head"}
    with pytest.raises(UsageError, match="did you mean 'paper'"):
        with_preset(read("refcoco"), "papre")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_read_and_names_known_splits(path: Path) -> None:
    from risbench.datasets.catalog import find
    from tris_model.tiny_clip.train import ClipRecipe

    tables = with_preset(read(str(path)))
    if "clip" in tables:
        record(ClipRecipe, tables["clip"], "clip")
    first = record(Stage1Recipe, tables["stage1"], "stage1")
    second = record(stage2.Stage2Recipe, tables["stage2"], "stage2")
    for name in (first.split, first.val, second.split, second.val):
        assert find(str(name)).name == name
    assert second.network.stage == 2
