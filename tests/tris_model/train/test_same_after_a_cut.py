"""A training that was cut off in the middle of an epoch and goes on is the same training.

The scorer keeps the features of texts that it has read. What they round to depends on the texts that are read with
them, so a training that goes on must have read the same ones together. A scorer here makes that plain: its features
depend on how many texts it reads at once.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.joined import made
from helpers.ranks import RankPairs
from torch import Tensor

from risbench.errors import RisbenchError
from tris_model.train import maps, scorers, stage1
from tris_model.train.tris import train


def uneven(kept: Any) -> Any:
    def read(self: Any, texts: Any) -> Tensor:
        features = kept(self, texts)
        return features + torch.sin(torch.arange(features.shape[1]) * (1.0 + len(texts)))

    return read


@contextmanager
def stopped_at(step: int) -> Any:
    """In place of ``interruptible``: Ctrl-C came in that step."""
    requested = iter(range(1, 1000))
    yield lambda: next(requested) >= step


def curve(out: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (out / "stage1/log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


def cut(folder: str, step: int, **given: Any) -> None:
    """Stage 1 whole, and once more with a cut; also run by ranks."""
    options: dict[str, Any] = {"device": "cpu", "data_root": f"{folder}/data", "val": "none", "stage": "1"}
    options |= {"stage1.epochs": "2", "stage1.channels_last": "true", **given}
    scorers.TowerScorer.encode_text = uneven(scorers.TowerScorer.encode_text)
    train(f"{folder}/recipe.toml", out=f"{folder}/whole", **options)
    kept = stage1.interruptible
    stage1.interruptible = lambda: stopped_at(step)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        train(f"{folder}/recipe.toml", out=f"{folder}/parts", **options)
    except RisbenchError as error:
        print(error)
    stage1.interruptible = kept
    train(f"{folder}/recipe.toml", out=f"{folder}/parts", **options)


@pytest.mark.parametrize("step", [2, 4])
def test_stage_1_with_channels_last_goes_on_to_the_same_curve_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path)
    monkeypatch.setattr(scorers.TowerScorer, "encode_text", scorers.TowerScorer.encode_text)  # given back at the end
    cut(str(tmp_path), step)
    assert f"stopped at step {step} of 6" in capsys.readouterr().out
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    same = [(tmp_path / out / "stage1.safetensors").read_bytes() for out in ("parts", "whole")]
    assert same[0] == same[1]


def test_so_do_two_ranks(pairs: RankPairs, tmp_path: Path) -> None:
    made(tmp_path)
    found = pairs.run("from test_same_after_a_cut import cut; cut(where, 2)", tmp_path)
    assert [code for code, _, _ in found] == [0, 0], found[0][2][-2000:]
    assert all("stopped at step 2 of 6" in out for _, out, _ in found)
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    same = [(tmp_path / out / "stage1.safetensors").read_bytes() for out in ("parts", "whole")]
    assert same[0] == same[1]


def test_maps_that_are_gone_on_with_are_the_same_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, data = made(tmp_path)
    given: dict[str, Any] = {"out": tmp_path / "out", "device": "cpu", "data_root": data, "val": "none"}
    train(file, stage="1", **given)
    monkeypatch.setattr(maps, "CHUNK", 1)
    texts: list[list[Tensor]] = []
    read = scorers.FrozenScorer.encode_text

    def noted(self: Any, some: Any) -> Tensor:
        texts[-1].append(read(self, some))
        return texts[-1][-1]

    monkeypatch.setattr(scorers.TowerScorer, "encode_text", uneven(scorers.TowerScorer.encode_text))
    monkeypatch.setattr(scorers.FrozenScorer, "encode_text", noted)
    texts.append([])
    train(file, stage="maps", **given)
    whole = {path.name: dict(np.load(path)) for path in (tmp_path / "out/maps").glob("*.npz")}
    assert len(whole) == 3
    (tmp_path / "out/maps/00002.npz").unlink()
    texts.append([])
    train(file, stage="maps", **given)
    again = {path.name: dict(np.load(path)) for path in (tmp_path / "out/maps").glob("*.npz")}
    assert all((again[name][key] == whole[name][key]).all() for name in whole for key in whole[name])
    assert torch.equal(texts[0][-1], texts[1][-1])
