"""Every stage on a GPU: steps in bf16, killed, and gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.joined import made
from test_join import Killed, dies

from tris_model import load
from tris_model.train import maps, pseudo
from tris_model.train.loop.journal import Journal
from tris_model.train.tris import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
BF16 = {
    "stage1.precision": "bf16", "stage1.channels_last": "true", "pseudo.train.precision": "bf16",
    "stage2.precision": "bf16", "stage2.channels_last": "true",
}  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [(Journal, "keep", 2), (maps, "_chunk", 2), (pseudo, "write_labels", 2), (Journal, "log", 3 + 3),
     (pseudo, "write_masks", 2), (Journal, "keep", 3 + 2)],
    ids=["stage1", "maps", "labels", "irn", "masks", "stage2"],
)  # fmt: skip
def test_a_gpu_trains_every_stage_in_bf16_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int
) -> None:
    recipe, data = made(tmp_path)
    given: dict[str, Any] = {"out": tmp_path / "out", "device": "cuda", "data_root": data, **BF16}
    monkeypatch.setattr(maps, "CHUNK", 1)
    monkeypatch.setattr(pseudo, "PIECE", 1)
    kept = Journal.keep
    monkeypatch.setattr(Journal, "keep", lambda self, *more, **named: kept(self, *more, **{**named, "now": True}))
    with monkeypatch.context() as patched:
        dies(patched, owner, name, call)
        with pytest.raises(Killed):
            train(recipe, **given)
    out = train(recipe, **given)
    assert len(list((out / "pseudo/masks").iterdir())) == 6
    for stage, steps in (("stage1", 3), ("pseudo", 4), ("stage2", 2)):
        lines = [json.loads(line) for line in (out / stage / "log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == list(range(steps))
    assert all(torch.isfinite(value).all() for value in load(out / "stage2.safetensors").state_dict().values())
    assert [row["stage"] for row in json.loads((out / "scores.json").read_text())] == [1, 2]
