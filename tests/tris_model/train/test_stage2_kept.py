"""Which weights stage 2 keeps, from which refs it learns, and how it goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.training import clip_file, refer_tree

from risbench.errors import UsageError
from tris_model import load
from tris_model.config import STAGE2
from tris_model.files.checkpoint import read
from tris_model.train import stage2, validation
from tris_model.train.loop.optimiser import Rates

CPU = torch.device("cpu")


def requested(clip: Path, **changes: object) -> stage2.Stage2Recipe:
    given = {"batch": 3, "epochs": 3, "rates": Rates(heads=1e-2, backbone=1e-3), **changes}
    network = replace(STAGE2, decoder=4, pool_grid=0)
    return stage2.Stage2Recipe("refcoco_train", str(clip), network=network, **given)  # pyright: ignore


def left_half(at: int) -> np.ndarray:
    return np.arange(32) < np.full((24, 1), 16)


def test_the_best_weights_on_val_are_kept_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    offered: list[dict[str, torch.Tensor]] = []

    def validate(weights: Path, *rest: object) -> SimpleNamespace:
        offered.append(dict(read(weights).state))
        value = (0.1, 0.3, 0.2)[len(offered) - 1]
        return SimpleNamespace(summary={"metrics": {"PointM": {"value": value}}})

    monkeypatch.setattr(validation, "validate", validate)
    recipe = requested(clip, select="val_PointM", val="refcoco_val")
    kept = load(stage2.fit(recipe, left_half, tmp_path, CPU, data)).state_dict()
    assert len(offered) == 3
    assert all(torch.equal(kept[key], value) for key, value in offered[1].items())
    assert not torch.equal(kept["final_seg1.1.weight"], offered[2]["final_seg1.1.weight"])
    with pytest.raises(UsageError, match="needs a val split"):
        stage2.fit(replace(recipe, val=None), left_half, tmp_path / "other", CPU, data)


def test_the_authors_selection_scores_stage_2_after_every_epoch(tmp_path: Path) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    stage2.fit(requested(clip, epochs=2, select="val_mIoU", val="refcoco_val"), left_half, tmp_path, CPU, data)
    values = [
        json.loads((tmp_path / f"stage2/val-0{epoch}/summary.json").read_text())["metrics"]["mIoU"]["value"]
        for epoch in (1, 2)
    ]
    assert len(values) == 2
    held = read(tmp_path / "stage2.safetensors").metadata
    assert held["selected"] == "val_mIoU"


def test_only_refs_with_a_mask_are_learnt_from_under_their_own_places(tmp_path: Path) -> None:
    data, clip = refer_tree(tmp_path / "data"), clip_file(tmp_path / "clip.safetensors")
    observed: list[int] = []

    def mask_of(at: int) -> np.ndarray:
        observed.append(at)
        return left_half(at)

    stage2.fit(requested(clip, epochs=2), mask_of, tmp_path, CPU, data, [1, 3, 4])
    assert sorted(observed) == [1, 3, 4]  # each once, and then kept
    assert len((tmp_path / "stage2/log.jsonl").read_text().splitlines()) == 2
