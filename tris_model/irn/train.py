"""Train IRN: edges and displacements from confident pixels, three epochs.

The loop is in :func:`train`. The data of a step depend only on the recipe and the step's number, so a killed run
continues from its last checkpoint with the same losses.
"""

from __future__ import annotations

import io
import json
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from risbench.errors import DataError, UsageError
from risbench.io.atomic import write_whole

from ..devices import autocast, computing
from ..files.checkpoint import read as read_weights
from ..files.checkpoint import reason_of
from ..train.loop.finite import check_loss, check_weights, clipped
from .affinity import losses
from .feed import Labelled, batches, loaded
from .network import EdgeDisplacement, save
from .network import load as load_network
from .recipe import PAPER, Recipe, check
from .trunks import FiveDepths, fingerprint

CHECKPOINT = "irn_checkpoint.pth"
NETWORK = "irn.safetensors"


@dataclass(frozen=True, slots=True)
class Step:
    """The report of a step: its number (from 1), the losses, the learning rate, and images per second."""

    number: int
    steps: int
    alike: float
    apart: float
    inside: float
    outside: float
    total: float
    rate: float
    speed: float


def train(
    data: Labelled,
    trunk: FiveDepths,
    out: Path,
    recipe: Recipe = PAPER,
    *,
    device: str | torch.device = "cpu",
    workers: int = 0,
    every: int = 100,
    tell: Callable[[Step], object] = lambda step: None,
    stop: Callable[[], bool] = lambda: False,
) -> EdgeDisplacement:
    """Train a network, continue an unfinished training, or load the finished network.

    Args:
        data: the training data.
        trunk: the image encoder; it is not changed.
        out: the output folder, for a checkpoint and at the end ``irn.safetensors``.
        recipe: all settings.
        device: the device to compute on.
        workers: number of processes that prepare images; 0 prepares them in this process.
        every: steps between checkpoints.
        tell: called with the report of each step.
        stop: called after each step; if it returns True, the state is saved and KeyboardInterrupt raised.

    Returns:
        The network in eval mode, with its mean displacement.

    Raises:
        UsageError: there are no data, the recipe is not valid, or ``out`` belongs to another recipe, trunk or number of
            items.
        DataError: the checkpoint is broken, or the loss is no longer finite.
    """
    steps = check(recipe, len(data))
    # A finished folder is recognised by the same values as an unfinished one.
    signs = {**asdict(recipe), "scales": list(recipe.scales), "items": len(data)}
    place = torch.device(device)
    if (out / NETWORK).exists():
        return _finished(out, trunk, signs).to(place)

    with torch.random.fork_rng(devices=[]):  # the seed is ours alone
        torch.manual_seed(recipe.seed)
        network = EdgeDisplacement(trunk, recipe.width).to(place)
    optimiser = torch.optim.SGD(
        [{"params": part, "lr": rate} for rate, part in _groups(network, recipe)],
        lr=recipe.rate, momentum=recipe.momentum, weight_decay=recipe.decay,
    )  # fmt: skip
    rates = [group["lr"] for group in optimiser.param_groups]
    signs["trunk"] = fingerprint(network.trunk)
    done = _resume(out / CHECKPOINT, signs, network, optimiser)

    network.train()
    clock = time.perf_counter()
    for number, (images, labels) in enumerate(batches(data, recipe, done, workers, place), start=done):
        left = (1 - number / steps) ** recipe.power
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * left

        with computing(recipe.precision):
            with autocast(recipe.precision, place):
                features = network.encode_image(images)
            terms = losses(network.edges(features), network.displacements(features), labels, recipe.radius)
            optimiser.zero_grad()
            terms.total.backward()
            alike, apart, inside, outside, total = torch.stack([*terms, terms.total]).tolist()
            check_loss("IRN", number, steps, total, clipped(network.parameters(), 0), optimiser)
            optimiser.step()
            check_weights("IRN", number, steps, network.heads().values(), optimiser)
        before, clock = clock, time.perf_counter()
        speed = len(images) / (clock - before)
        tell(Step(number + 1, steps, alike, apart, inside, outside, total, recipe.rate * left, speed))
        stopped = stop()
        if stopped or (number + 1) % every == 0 or number + 1 == steps:
            _save(out / CHECKPOINT, number + 1, signs, network, optimiser)
        if stopped:
            raise KeyboardInterrupt

    with computing(recipe.precision):
        network.mean_shift.running_mean.copy_(mean_displacement(network, data, recipe, workers))
    save(network, out / NETWORK, {"recipe": json.dumps(signs, sort_keys=True)})
    return network.eval()


@torch.inference_mode()
def mean_displacement(network: EdgeDisplacement, data: Labelled, recipe: Recipe, workers: int = 0) -> Tensor:
    """The mean displacement ``(2,)`` over the images' top left crops, with padding; for a network in training mode.

    Raises:
        DataError: a displacement is not finite; the message names the images.
    """
    size = min(recipe.batch, len(data))
    some = np.random.default_rng(recipe.seed).permutation(len(data))[: recipe.means].tolist()
    if len(some) == len(data):
        some.sort()
    wanted = [[(-1, index) for index in some[at : at + size]] for at in range(0, len(some), size)]
    device = network.fc_edge6.weight.device
    total = torch.zeros(2, dtype=torch.float64, device=device)
    for number, (images, _) in enumerate(loaded(data, recipe, wanted, workers, device)):
        with autocast(recipe.precision, device):
            features = network.encode_image(images)
        found = network.displacements(features).double().mean((2, 3)).sum(0)
        if not bool(torch.isfinite(found).all()):
            places = ", ".join(str(index) for _, index in wanted[number])
            raise DataError(
                f"IRN: its displacements are not finite for some image among the items {places} (counted from 0), so "
                "they have no mean and no network is written. Lower its rates, and give another --out or --overwrite"
            )
        total += found
    return (total / len(some)).float()


def _groups(network: EdgeDisplacement, recipe: Recipe) -> list[tuple[float, list[nn.Parameter]]]:
    named = [(name, value) for name, value in network.named_parameters() if not name.startswith("trunk.")]
    edges = [value for name, value in named if name.startswith("fc_edge")]
    others = [value for name, value in named if not name.startswith("fc_edge")]
    return [(recipe.rate, edges), (recipe.displacement_rate, others)]


def _save(
    path: Path, done: int, signs: dict[str, Any], network: EdgeDisplacement, optimiser: torch.optim.Optimizer
) -> None:
    held = {"done": done, "signs": signs, "heads": network.heads(), "optimiser": optimiser.state_dict()}
    try:
        write_whole(path, lambda file: torch.save(held, file))
    except (OSError, RuntimeError) as error:  # torch has an error of its own for a full disk
        raise DataError(
            f"{path} cannot be written: {reason_of(error)}; run the same command again to continue"
        ) from None


def _resume(path: Path, signs: dict[str, Any], network: EdgeDisplacement, optimiser: torch.optim.Optimizer) -> int:
    """The number of finished steps; 0 without a checkpoint."""
    if not path.exists():
        return 0
    held = _read(path)
    if differ := sorted(key for key in signs if held["signs"].get(key) != signs[key]):
        raise UsageError(
            f"{path.parent} was begun with another {', '.join(differ)}; give another --out or the old values"
        )
    network.fill(held["heads"], f"{path} as IRN")
    optimiser.load_state_dict(held["optimiser"])
    return held["done"]


def _read(path: Path) -> dict[str, Any]:
    try:
        held = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
        if not {"done", "signs", "heads", "optimiser"} <= set(held):
            raise ValueError("other contents")
        return held
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        LookupError,
        TypeError,
        AttributeError,
        pickle.UnpicklingError,
    ) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise DataError(
            f"{path} is not a checkpoint of IRN, or it is broken ({reason}); delete it to start again"
        ) from None


def _finished(out: Path, trunk: FiveDepths, signs: dict[str, Any]) -> EdgeDisplacement:
    kept = read_weights(out / NETWORK).metadata.get("recipe")
    if kept is None and (out / CHECKPOINT).exists():  # written before the network's own file named its recipe
        kept = json.dumps(_read(out / CHECKPOINT)["signs"])
    held = signs if kept is None else json.loads(kept)
    if differ := [key for key in signs if held.get(key) != signs[key]]:
        raise UsageError(f"{out} was finished with another {', '.join(differ)}; give another --out or the old values")
    return load_network(out / NETWORK, trunk)
