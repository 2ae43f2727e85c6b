"""Stage 2 in two processes with half a batch each is stage 2 in one, and a whole training is shared without a race."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.joined import made
from helpers.ranks import RankPairs
from helpers.training import TOWERS
from helpers.waiting import GUARD
from helpers.weight_recipe import filled

from tris_model import load
from tris_model.clip.tokens import tokenize
from tris_model.config import Config
from tris_model.network.stage2 import Stage2
from tris_model.train.loop.optimiser import freeze_unused
from tris_model.train.loop.ranks import averaged
from tris_model.train.losses import segmentation

TEXTS = ["left dog", "red cat", "a car on the road", "old man"]
PATHS = os.pathsep.join(str(Path(__file__).parents[up]) for up in (0, 2, 3))
ENV = os.environ | {"PYTHONPATH": PATHS, "OMP_NUM_THREADS": "1"}


def gradients(part: slice, *, distributed: bool) -> dict[str, torch.Tensor]:
    """The loss and every gradient, of some images of the batch (BatchNorm in eval mode)."""
    sizes = {**json.loads(TOWERS.to_json()), "stage": 2, "hidden": 0, "decoder": 4, "pool_grid": 0}
    network = filled(Stage2(Config.from_json(json.dumps(sizes))))
    freeze_unused(network, temperature=False)
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    learner = averaged(network) if distributed else network
    draw = torch.Generator().manual_seed(0)
    images, masks = torch.randn(4, 3, 32, 32, generator=draw), torch.rand(4, 1, 32, 32, generator=draw).round()
    loss = segmentation(learner(images[part], tokenize(TEXTS)[part]), masks[part])
    loss.backward()
    found = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
    return {"loss": loss.detach(), **found}


def test_the_gradient_of_two_processes_is_that_of_one_with_the_global_batch(pairs: RankPairs, tmp_path: Path) -> None:
    program = (
        "from test_stage2_ranks import gradients;"
        "torch.save(gradients(slice(2 * rank, 2 * rank + 2), distributed=True), f'{where}/{rank}.pt')"
    )
    found = pairs.run(program, tmp_path)
    assert [code for code, _, _ in found] == [0, 0], found[0].err[-2000:]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    whole = gradients(slice(0, 4), distributed=False)
    torch.testing.assert_close((first["loss"] + second["loss"]) / 2, whole["loss"])
    assert set(first) == set(second) == set(whole)
    largest = max(float(grad.abs().max()) for name, grad in whole.items() if name != "loss")
    for name in set(whole) - {"loss"}:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
        torch.testing.assert_close(first[name], whole[name], rtol=1e-3, atol=1e-5 * largest)


def forked(pairs: RankPairs, words: list[str], folder: Path) -> tuple[int, str, str]:
    """A command under torchrun, in ranks that are forked."""
    return pairs.torchrun(words, folder)


def anew(pairs: RankPairs, words: list[str], folder: Path) -> tuple[int, str, str]:
    """A command under torchrun, in ranks that start Python and import torch, which takes most of the time."""
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "risbench")
    command = [sys.executable, *torchrun, *words]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=GUARD, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("begun", [forked, pytest.param(anew, marks=pytest.mark.torture)])
def test_a_whole_training_in_two_processes_ends_with_one_of_everything(
    pairs: RankPairs, tmp_path: Path, begun: Callable[[RankPairs, list[str], Path], tuple[int, str, str]]
) -> None:
    recipe, data = made(tmp_path)
    words = ["train", "tris", "--recipe", recipe, "--data-root", str(data), "--device", "cpu"]
    code, out, err = begun(pairs, [*words, "--set", "stage2.batch=2", "--out", str(tmp_path / "out")], tmp_path)
    assert code == 0, err[-3000:]
    assert out.count("TRIS on refcoco_val") == 1
    assert len((tmp_path / "out/stage1/log.jsonl").read_text().splitlines()) == 3
    assert len((tmp_path / "out/stage2/log.jsonl").read_text().splitlines()) == 3
    assert len(list((tmp_path / "out/pseudo/masks").iterdir())) == 6
    assert [row["stage"] for row in json.loads((tmp_path / "out/scores.json").read_text())] == [1, 2]
    assert load(tmp_path / "out/stage2.safetensors").config.stage == 2
