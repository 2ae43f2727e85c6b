"""Packing a training: smaller files with the same predictions, and a card of the training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers.clips import tiny_clip
from helpers.weight_recipe import filled

from risbench import DataError, UsageError, evaluate, load_split
from tris_model import Config, Stage1, Stage2, convert, describe, digest, load, load_clip, make, save
from tris_model.files.checkpoint import read
from tris_model.train.loop.journal import Journal
from tris_model.weights import card, pack, score

SMALL = Config(
    image_size=48, stride=8, depth=(1, 1, 1, 1), width=8, pool_grid=6, ramp=True, context=20, vocabulary=20,
    trimmed=True, text_width=32, text_depth=1, text_heads=2, embed=24, hidden=16,
)  # fmt: skip
PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """What `risbench train tris` leaves, with networks that still have the pool that TRIS does not use."""
    clip = tmp_path / "clip" / "clip.safetensors"
    clip.parent.mkdir()
    tiny_clip(clip)
    folder = tmp_path / "out"
    for part in ("stage1", "pseudo", "stage2"):
        journal = Journal(folder / part)
        for step in range(3):
            journal.log(step, loss=1.0, memory=float(step))
    save(_trained(Stage1(SMALL)), folder / "stage1.safetensors", {"recipe": "{}"})
    save(_trained(Stage2(replace(SMALL, stage=2, hidden=0, decoder=8))), folder / "stage2.safetensors")
    recipe = {"stage1": {"start": str(clip), "seed": 7}, "stage2": {"seed": 8}}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    return folder


def _trained(network: Stage1 | Stage2) -> Stage1 | Stage2:
    filled(network)
    assert network.backbone.token_ids is not None
    network.backbone.token_ids.copy_(torch.arange(SMALL.vocabulary - 1) + 300)
    return network


@pytest.fixture
def box(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tris_model.files.names.FOLDER", tmp_path / "box")
    pack.pack(out, box=tmp_path / "box")
    return tmp_path / "box"


def test_files_are_halved_without_the_pool_and_load_as_float32(out: Path, box: Path):
    for stage in (1, 2):
        before, after = load(out / f"stage{stage}.safetensors"), load("shapes", stage=stage)
        assert after.config == replace(before.config, pool_grid=0)
        assert not any("attnpool" in key for key in after.state_dict())
        assert {value.dtype for value in after.state_dict().values()} == {torch.float32, torch.int64}
        assert not after.training
        assert describe(box / f"shapes_stage{stage}.safetensors")["dtypes"]["float16"] > 0
        size, was = ((folder / name).stat().st_size for folder, name in _pairs(out, box, stage))
        assert size < 0.6 * was
    assert load_clip("shapes").visual.attnpool is not None


def _pairs(out: Path, box: Path, stage: int) -> list[tuple[Path, str]]:
    return [(box, f"shapes_stage{stage}.safetensors"), (out, f"stage{stage}.safetensors")]


@pytest.mark.parametrize("stage", [1, 2])
def test_the_box_answers_as_the_training_did(out: Path, box: Path, stage: int):
    texts = ["the red circle", "a dog"]
    exact = make(weights=str(out / f"stage{stage}.safetensors")).predict(PICTURE, texts)
    shipped = make(split="shapes_test", stage=stage).predict(PICTURE, texts)
    for one, other in zip(exact, shipped, strict=True):
        assert np.abs(one - other).max() < 0.02 * np.abs(one).max()


def test_norms_and_numbers_keep_their_precision(out: Path, box: Path):
    for stage in (1, 2):
        before, after = (read(folder / name).state for folder, name in reversed(_pairs(out, box, stage)))
        for key, value in after.items():
            if value.ndim < 2 or not value.is_floating_point():
                assert torch.equal(value, before[key]), key
            else:
                assert torch.equal(value, before[key].half()), key


def test_the_stage_is_picked_by_set_and_is_2_by_default(box: Path):
    assert make(split="shapes_val").card["stage"] == 2
    assert make(split="shapes_val", stage=1).card["stage"] == 1
    assert make(weights="shapes", stage=1).card["weights"] == digest(box / "shapes_stage1.safetensors")
    assert "drawn scenes" in make(weights="shapes").card["extra_data"]


def test_packing_twice_gives_the_same_bytes(out: Path, box: Path, tmp_path: Path):
    pack.pack(out, box=tmp_path / "again")
    for file in box.glob("*.safetensors"):
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_the_card_names_files_recipes_seeds_minutes_commands_and_machines(out: Path, box: Path):
    held = card.read(box)
    assert {file: fact["sha256"] for file, fact in held["files"].items()} == {
        file.name: digest(file) for file in box.glob("*.safetensors")
    }
    assert held["files"]["shapes_stage1.safetensors"]["made_from_sha256"] == digest(out / "stage1.safetensors")
    assert held["recipes"]["tris"] == json.loads((out / "recipe.json").read_text())
    assert set(held["training"]) == {"stage1", "irn", "stage2"}  # the made-up CLIP has no journal
    for part in held["training"].values():
        assert part["steps"] == 3
        assert part["minutes"] >= 0
        assert part["memory_mib"] == 2.0
        assert [set(start) >= {"command", "commit", "machine", "started"} for start in part["starts"]] == [True]
    assert held["scores"] == []


def test_a_log_that_does_not_tell_the_time_gives_no_minutes(tmp_path: Path):
    (tmp_path / "log.jsonl").write_text('{"step": 0, "loss": 1.0}\n')
    found = card.of_part(tmp_path)
    assert found is not None
    assert found["minutes"] is None
    assert card.of_part(tmp_path / "absent") is None


def test_scores_by_form_go_on_the_card(box: Path, tmp_path: Path, shared_cache: Path):
    split = load_split("shapes_val")
    runs = []
    for stage in (1, 2):
        run = evaluate(make(split="shapes_val", stage=stage), split, limit=3, out=tmp_path / str(stage), name="tris")
        runs.append(run.path)
    entries = score.add(runs, box)
    assert card.read(box)["scores"] == entries
    assert [entry["weights"] for entry in entries] == ["shapes_stage1.safetensors", "shapes_stage2.safetensors"]
    for entry in entries:
        assert entry["partial"]
        forms = {"attribute", "position", "relation", "combined"} & set(entry["by"])
        assert sum(entry["by"][form]["mIoU"]["count"] for form in forms) == entry["count"]
        for metrics in entry["by"].values():
            for metric in metrics.values():
                # Of one image there is no interval.
                assert metric["low"] is None or metric["low"] - 1e-6 <= metric["value"] <= metric["high"] + 1e-6
        blurred = [entry["by"][how]["mIoU"]["count"] for how in ("ambiguous", "clear") if how in entry["by"]]
        assert sum(blurred) == entry["count"]
    assert score.table(entries).count("| shapes_stage1.safetensors | all |") == 1


def test_a_run_of_other_weights_is_not_put_on_the_card(out: Path, box: Path, tmp_path: Path, shared_cache: Path):
    method = make(weights=str(out / "stage1.safetensors"))
    run = evaluate(method, load_split("shapes_val"), limit=1, out=tmp_path / "run", name="tris")
    with pytest.raises(UsageError, match="other weights"):
        score.add([run.path], box)


def test_too_much_is_refused_and_changes_nothing(
    out: Path, box: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    before = {file.name: file.read_bytes() for file in box.iterdir()}
    monkeypatch.setattr(pack, "MOST", 10_000)
    with pytest.raises(DataError, match=r"at most 10,000 bytes together, and these have"):
        pack.pack(out, box=box)
    assert {file.name: file.read_bytes() for file in box.iterdir()} == before
    assert "together" in capsys.readouterr().out


def test_what_half_precision_cannot_hold_is_refused_by_name(out: Path, tmp_path: Path):
    network = load(out / "stage1.safetensors")
    with torch.no_grad():
        network.backbone.text_projection[0, 0] = 1e6
    save(network, out / "stage1.safetensors")
    with pytest.raises(DataError, match=r"backbone.text_projection has values up to 1e\+06"):
        pack.pack(out, box=tmp_path / "box")
    assert list((tmp_path / "box").iterdir()) == []


def test_what_a_training_lacks_is_one_line(out: Path, tmp_path: Path):
    (out / "stage2.safetensors").unlink()
    result = CliRunner().invoke(pack.main, [str(out), "--box", str(tmp_path / "box")])
    assert result.exit_code == 1
    assert "has no stage2.safetensors; run `risbench train tris` to its end" in result.output
    (tmp_path / "clip" / "clip.safetensors").unlink()
    save(_trained(Stage2(replace(SMALL, stage=2, hidden=0, decoder=8))), out / "stage2.safetensors")
    with pytest.raises(UsageError, match="with --clip FILE"):
        pack.pack(out, box=tmp_path / "box")
    (out / "recipe.json").unlink()
    with pytest.raises(UsageError, match=r"no recipe\.json"):
        pack.pack(out, box=tmp_path / "box")
    with pytest.raises(DataError, match=r"there is no .*card\.json"):
        card.read(tmp_path / "box")


def test_a_halved_file_can_be_converted_there_and_back(box: Path, tmp_path: Path):
    convert(box / "shapes_stage2.safetensors", tmp_path / "two.pth")
    convert(tmp_path / "two.pth", tmp_path / "two.safetensors")
    before, after = (read(path).state for path in (box / "shapes_stage2.safetensors", tmp_path / "two.safetensors"))
    assert all(before[key].equal(after[key]) for key in before)
