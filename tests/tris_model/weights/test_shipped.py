"""The shipped weights: the files are those of the card, small and complete, and they work."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.clip_sim import make as make_clip_sim
from tris_model import digest, load, load_clip, make
from tris_model.files.names import FOLDER
from tris_model.weights import card, pack

PICTURE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)


def test_the_files_are_those_of_the_card_and_at_most_12_megabytes():
    files = card.read(FOLDER)["files"]
    assert set(files) == {"shapes_clip.safetensors", "shapes_stage1.safetensors", "shapes_stage2.safetensors"}
    assert {file.name for file in FOLDER.glob("*.safetensors")} == set(files)
    for file, fact in files.items():
        assert digest(FOLDER / file) == fact["sha256"]
        assert (FOLDER / file).stat().st_size == fact["bytes"]
    assert sum(fact["bytes"] for fact in files.values()) <= pack.MOST


def test_the_networks_know_the_drawn_words_and_the_clip_is_the_one_both_started_from():
    clip = load_clip("shapes")
    assert clip.config.trimmed
    for stage in (1, 2):
        network = load("shapes", stage=stage)
        assert network.config.stage == stage
        assert network.config.pool_grid == 0
        assert network.backbone.token_ids is not None
        assert clip.token_ids is not None
        assert network.backbone.token_ids.equal(clip.token_ids)


def test_the_card_tells_seeds_minutes_commands_machines_and_scores_of_both_stages():
    held = card.read(FOLDER)
    assert held["recipes"]["clip"]["seed"] is not None
    assert {"stage1", "pseudo", "stage2"} <= set(held["recipes"]["tris"])
    for part in ("clip", "stage1", "irn", "stage2"):
        assert held["training"][part]["minutes"] > 0
        assert held["training"][part]["starts"][0]["machine"]
    scored = {entry["weights"]: entry for entry in held["scores"] if entry["split"] == "shapes_test"}
    for stage in (1, 2):
        entry = scored[f"shapes_stage{stage}.safetensors"]
        assert not entry["partial"]
        assert entry["texts"] == "given"
        for metrics in (entry["metrics"], *entry["by"].values()):
            assert metrics["mIoU"]["low"] < metrics["mIoU"]["value"] < metrics["mIoU"]["high"]


@pytest.mark.parametrize("factory", [make, make_clip_sim])
def test_drawn_scenes_need_no_weights_to_be_named(factory):
    method = factory(split="shapes_test")
    answers = method.predict(PICTURE, ["the red circle", "blue square on the left"])
    heats = [getattr(answer, "heat", answer) for answer in answers]
    assert all(np.isfinite(heat).all() for heat in heats)
    assert not np.array_equal(heats[0], heats[1])
