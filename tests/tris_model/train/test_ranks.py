"""Two processes with half a batch each are one with the whole."""

from __future__ import annotations

from pathlib import Path

import torch
from helpers.ranks import RankPairs
from helpers.training import TOWERS
from helpers.weight_recipe import filled

from tris_model.clip.tokens import tokenize
from tris_model.clip.towers import Clip
from tris_model.network.stage1 import Stage1
from tris_model.train.loop.optimiser import freeze_unused
from tris_model.train.loop.ranks import averaged, mean_of
from tris_model.train.objective import Objective, Weights
from tris_model.train.scorers import FrozenScorer, TowerScorer

TEXTS = ["left dog", "red cat", "a car on the road", "old man"]
OTHERS = ["bus", "tree", "small bird", "a red car"]


def gradients(part: slice, *, distributed: bool) -> dict[str, torch.Tensor]:
    """The loss and every gradient, of some images of the batch (BatchNorm in eval mode)."""
    network = filled(Stage1(TOWERS))
    assert isinstance(network, Stage1)
    freeze_unused(network, temperature=False)
    clip = filled(Clip(TOWERS))
    assert isinstance(clip, Clip)
    judge = FrozenScorer(TowerScorer(clip, torch.device("cpu")))
    objective: torch.nn.Module = Objective(network, judge, Weights()).eval()
    if distributed:
        objective = averaged(objective)
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))[part]
    terms = objective(
        images,
        tokenize(TEXTS)[part],
        judge.encode_text(TEXTS)[part],
        judge.encode_text(OTHERS)[part].unflatten(0, (-1, 1)),
    )
    terms["loss"].backward()
    found = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
    return {"loss": terms["loss"].detach(), "logged": mean_of({"loss": terms["loss"]})["loss"], **found}


def test_gradient_and_logged_loss_of_two_processes_are_those_of_one_with_the_global_batch(
    pairs: RankPairs, tmp_path: Path
) -> None:
    program = (
        "from test_ranks import gradients;"
        "torch.save(gradients(slice(2 * rank, 2 * rank + 2), distributed=True), f'{where}/{rank}.pt')"
    )
    found = pairs.run(program, tmp_path)
    assert [code for code, _, _ in found] == [0, 0], found[0].err[-2000:]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    whole = gradients(slice(0, 4), distributed=False)
    torch.testing.assert_close((first["loss"] + second["loss"]) / 2, whole["loss"])
    # What a log holds of both is the loss of one process over the same batch, and the same on every rank.
    assert first["logged"] == second["logged"]
    torch.testing.assert_close(first["logged"], whole["loss"])
    assert first["loss"] != second["loss"]
    assert set(first) == set(second) == set(whole)
    largest = max(float(grad.abs().max()) for name, grad in whole.items() if name not in ("loss", "logged"))
    for name in set(whole) - {"loss", "logged"}:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
        torch.testing.assert_close(first[name], whole[name], rtol=1e-4, atol=1e-6 * largest)
