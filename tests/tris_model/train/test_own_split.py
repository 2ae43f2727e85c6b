"""A split that a user made of own data is one to train on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from helpers.annotations import write_image
from helpers.training import WORDS, clip_file, recipe

from risbench import load_split
from risbench.datasets.imports.own import import_own
from tris_model.train import stage1
from tris_model.train.refs import Refs


def _own(tmp_path: Path) -> Path:
    """Two objects in each of four images, the first of them said twice."""
    images, expressions = [], []
    for number in range(4):
        write_image(tmp_path / f"{number}.png", (24, 32), 60 * number)
        images.append({"file": f"{number}.png", "height": 24, "width": 32})
        for x, result in ((2, WORDS[:2]), (16, WORDS[2:3])):
            mask = [[x, 5, x + 10, 5, x + 10, 20, x, 20]]
            expressions += [{"text": f"{text} {number}", "image": f"{number}.png", "mask": mask} for text in result]
    (tmp_path / "my.json").write_text(json.dumps({"role": "train", "images": images, "expressions": expressions}))
    import_own(tmp_path / "my.json", "mytrain", tmp_path / "data")
    return tmp_path / "data"


def test_expressions_of_one_mask_are_the_sentences_of_one_ref(tmp_path: Path) -> None:
    refs = Refs(load_split("mytrain", _own(tmp_path)))
    assert [len(ref.texts) for ref in refs.refs] == [2, 1] * 4
    assert [ref.mates for ref in refs.refs[:4]] == [(1,), (0,), (3,), (2,)]


def test_stage_1_learns_from_it(tmp_path: Path) -> None:
    data, clip = _own(tmp_path), clip_file(tmp_path / "clip.safetensors")
    stage1.fit(replace(recipe(clip, epochs=1), split="mytrain"), tmp_path / "out", torch.device("cpu"), data)
    lines = [json.loads(line) for line in (tmp_path / "out/stage1/log.jsonl").read_text().splitlines()]
    assert len(lines) == 4
    assert all(line["loss"] > 0 for line in lines)
