"""Weights trained only on drawn scenes give a warning for photographs, as a message and under a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.commands import Ask, ask  # noqa: F401
from helpers.small import write_small

import tris_model
from baselines import clip_es, clip_gae, clip_gradcam, clip_sim
from baselines._clip.vit import SHIPPED
from baselines.groupvit import method as groupvit
from reports.tables import markdown
from risbench import Run
from risbench.methods.contract import method_notes
from tris_model.files.names import find

CAUTION = "trained on drawn scenes only"


@pytest.mark.parametrize(
    "make", [clip_sim.make, clip_gradcam.make, clip_gae.make, clip_es.make, groupvit.make, tris_model.make]
)
def test_shipped_weights_carry_a_caution_for_photographs_and_none_for_drawn_scenes(make: Any) -> None:
    method = make(weights="shapes")
    assert [CAUTION in note for note in method_notes(method, "refcoco_val")] == [True]
    assert [CAUTION in note for note in method_notes(method)] == [True]
    assert method_notes(method, "shapes_val") == ()


def test_a_shipped_file_is_known_by_whatever_path_or_kind_of_file(tmp_path: Path) -> None:
    copied = tmp_path / "mine.safetensors"
    copied.write_bytes(SHIPPED.read_bytes())
    assert CAUTION in method_notes(clip_es.make(weights=str(copied)))[0]
    shipped = find("shapes")
    tris_model.convert(shipped, tmp_path / "converted.pth")
    assert CAUTION in method_notes(tris_model.make(weights=str(tmp_path / "converted.pth")))[0]


def test_the_command_and_the_table_say_so(ask: Ask, tmp_path: Path) -> None:  # noqa: F811
    root = write_small(tmp_path / "data", 2)
    words = ("run", "--method", "clip_gradcam", "--weights", "shapes", "--split", "refcoco_val", "--data-root", root)
    assert ask(*words, "--out", tmp_path / "run").err.count(CAUTION) == 1
    assert CAUTION in (markdown.render([Run.load(tmp_path / "run")]) or "")
    picture = next((root / "train2014").glob("*.png"))
    requested = ask("predict", picture, "a thing", "--method", "clip_gradcam", "--weights", "shapes")
    assert requested.err.count(CAUTION) == 1
