"""Training IRN: edges and displacements from sure pixels, three epochs.

One loop, seen whole in :func:`train`. What a step sees depends on the recipe and the step's number alone, so a run that
was killed goes on from its last checkpoint to the same losses.
"""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from risbench.datasets.atomic import write_whole
from risbench.errors import DataError, UsageError

from .affinity import losses
from .augment import Draw, draw, vary
from .items import Item
from .labels import read_labels
from .network import WIDTH, EdgeDisplacement, save
from .network import load as load_network
from .paths import window
from .trunks import FiveDepths, fingerprint

CHECKPOINT = "irn_checkpoint.pth"
NETWORK = "irn.safetensors"


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that training depends on besides the data; the defaults are the authors'.

    Attributes:
        epochs: passes over the items; in each, what is left over after the last whole batch is not used.
        batch: items a step; all there are if they are fewer.
        rate: learning rate of the edge layers; displacement layers have ten times as much. Both fall by a polynomial.
        power: of that polynomial, stepped every step.
        momentum: 1e-4 because the authors pass their weight decay in momentum's place.
        decay: weight decay.
        crop: side of the square input, a multiple of 4.
        radius: of pairs, in cells of 4 pixels.
        scales: the images' sides are scaled by a number between these.
        mirror: whether half of the images are.
        width: of the network's heads.
        seed: of the weights, the order and the variations.
        bf16: the trunk computes in bfloat16 (on a GPU).
    """

    epochs: int = 3
    batch: int = 24
    rate: float = 0.1
    power: float = 0.9
    momentum: float = 1e-4
    decay: float = 1e-4
    crop: int = 512
    radius: int = 10
    scales: tuple[float, float] = (0.5, 1.5)
    mirror: bool = True
    width: int = WIDTH
    seed: int = 1234
    bf16: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What a step has to tell: its number (from 1) of how many, the four terms, the rate, images a second."""

    number: int
    steps: int
    alike: float
    apart: float
    inside: float
    outside: float
    total: float
    rate: float
    speed: float


class Labelled(Protocol):
    """Items with their sure labels, in a fixed order."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The image, uint8 ``(H, W, 3)``, and its labels, uint8 ``(H, W)``."""
        ...


class LabelFolder:
    """Items and what :func:`~tris_model.irn.labels.write_labels` wrote of them."""

    def __init__(self, items: Sequence[Item], folder: Path):
        self.items = items
        self.folder = folder

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """As :class:`Labelled`."""
        item = self.items[index]
        return item.image(), read_labels(self.folder, item.name)


def train(
    data: Labelled,
    trunk: FiveDepths,
    out: Path,
    recipe: Recipe = Recipe(),  # noqa: B008 (frozen)
    *,
    device: str | torch.device = "cpu",
    workers: int = 0,
    every: int = 100,
    tell: Callable[[Step], object] = lambda step: None,
    stop: Callable[[], bool] = lambda: False,
) -> EdgeDisplacement:
    """Train a network, or go on with it, or take the one that is finished.

    Args:
        data: what to learn from.
        trunk: what to see with; it is not changed.
        out: a folder; gets a checkpoint, and in the end ``irn.safetensors``.
        recipe: how.
        device: where.
        workers: processes that prepare images; 0 does it in this one.
        every: steps between checkpoints.
        tell: hears of each step.
        stop: asked after each step; if true, the work is saved and KeyboardInterrupt raised.

    Returns:
        The network in eval mode, its mean displacement taken.

    Raises:
        UsageError: no data, a recipe that does not do, or ``out`` belongs to another recipe, trunk or number of items.
        DataError: a broken checkpoint; or the loss is no longer finite.
    """
    steps = check(recipe, len(data))
    # A finished folder is recognised by the same signs as a started one.
    signs = {**asdict(recipe), "scales": list(recipe.scales), "items": len(data)}
    place = torch.device(device)
    if (out / NETWORK).exists():
        return _finished(out, trunk, signs).to(place)

    with torch.random.fork_rng(devices=[]):  # the seed is ours alone
        torch.manual_seed(recipe.seed)
        network = EdgeDisplacement(trunk, recipe.width).to(place)
    optimiser = torch.optim.SGD(
        [{"params": part, "lr": factor * recipe.rate} for factor, part in _groups(network)],
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

        with torch.autocast(place.type, torch.bfloat16, enabled=recipe.bf16):
            features = network.see(images)
        terms = losses(network.edges(features), network.displacements(features), labels, recipe.radius)
        optimiser.zero_grad()
        terms.total.backward()
        optimiser.step()

        values = [float(value) for value in torch.stack([*terms, terms.total]).detach().cpu()]
        if not np.isfinite(values).all():
            raise DataError(f"the loss of IRN is no longer finite at step {number + 1}; lower the recipe's rate")
        before, clock = clock, time.perf_counter()
        tell(Step(number + 1, steps, *values, recipe.rate * left, len(images) / (clock - before)))
        stopped = stop()
        if stopped or (number + 1) % every == 0 or number + 1 == steps:
            _save(out / CHECKPOINT, number + 1, signs, network, optimiser)
        if stopped:
            raise KeyboardInterrupt

    network.mean_shift.running_mean.copy_(mean_displacement(network, data, recipe, workers))
    save(network, out / NETWORK)
    return network.eval()


def check(recipe: Recipe, items: int) -> int:
    """The number of steps.

    Raises:
        UsageError: no items, or values that cannot work.
    """
    if items < 1:
        raise UsageError("there is nothing to train IRN on: no item has labels")
    if recipe.crop < 4 or recipe.crop % 4 or recipe.epochs < 1 or recipe.batch < 1 or recipe.scales[0] <= 0:
        raise UsageError("IRN's recipe needs epochs and batch of at least 1, scales above 0, and crop a multiple of 4")
    window((recipe.crop // 4, recipe.crop // 4), recipe.radius)
    return recipe.epochs * (items // min(recipe.batch, items))


def batches(
    data: Labelled, recipe: Recipe, done: int, workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """The input of all steps from number ``done`` on: ``(B, 3, crop, crop)`` and ``(B, crop / 4, crop / 4)``."""
    size = min(recipe.batch, len(data))
    wanted: list[list[tuple[int, int]]] = []
    for epoch in range(recipe.epochs):
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(data)).tolist()
        wanted += [[(epoch, index) for index in order[at : at + size]] for at in range(0, len(data) - size + 1, size)]
    yield from _loaded(_Varied(data, recipe), wanted[done:], workers, device)


@torch.inference_mode()
def mean_displacement(network: EdgeDisplacement, data: Labelled, recipe: Recipe, workers: int = 0) -> Tensor:
    """The mean over all images' top left crops, padding included, ``(2,)``; of a network in training mode."""
    size = min(recipe.batch, len(data))
    wanted = [[(-1, index) for index in range(at, min(at + size, len(data)))] for at in range(0, len(data), size)]
    device = network.fc_edge6.weight.device
    total = torch.zeros(2, dtype=torch.float64, device=device)
    for images, _ in _loaded(_Varied(data, recipe), wanted, workers, device):
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bf16):
            features = network.see(images)
        total += network.displacements(features).double().mean((2, 3)).sum(0)
    return (total / len(data)).float()


class _Varied:
    """Input by (epoch, index); epoch -1 is as it is."""

    def __init__(self, data: Labelled, recipe: Recipe):
        self._data = data
        self._recipe = recipe

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        epoch, index = key
        recipe = self._recipe
        image, labels = self._data[index]
        how = Draw()
        if epoch >= 0:
            how = draw((recipe.seed, epoch, index), recipe.scales)
            how = how._replace(mirror=how.mirror and recipe.mirror)
        return vary(image, labels, how, recipe.crop)


def _loaded(
    varied: _Varied, wanted: list[list[tuple[int, int]]], workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    fast = device.type == "cuda"
    loader: Any = DataLoader(varied, batch_sampler=wanted, num_workers=workers, pin_memory=fast)  # pyright: ignore
    for images, labels in loader:
        yield images.to(device, non_blocking=fast), labels.to(device, non_blocking=fast)


def _groups(network: EdgeDisplacement) -> list[tuple[float, list[nn.Parameter]]]:
    named = [(name, value) for name, value in network.named_parameters() if not name.startswith("trunk.")]
    edges = [value for name, value in named if name.startswith("fc_edge")]
    return [(1.0, edges), (10.0, [value for name, value in named if not name.startswith("fc_edge")])]


def _save(
    path: Path, done: int, signs: dict[str, Any], network: EdgeDisplacement, optimiser: torch.optim.Optimizer
) -> None:
    held = {"done": done, "signs": signs, "heads": network.heads(), "optimiser": optimiser.state_dict()}
    write_whole(path, lambda file: torch.save(held, file))


def _resume(path: Path, signs: dict[str, Any], network: EdgeDisplacement, optimiser: torch.optim.Optimizer) -> int:
    """The number of steps that are done; 0 without a checkpoint."""
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
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        raise DataError(f"{path} is no checkpoint of IRN or a broken one ({reason}); delete it to begin anew") from None


def _finished(out: Path, trunk: FiveDepths, signs: dict[str, Any]) -> EdgeDisplacement:
    held = _read(out / CHECKPOINT) if (out / CHECKPOINT).exists() else None
    if held and (differ := sorted(key for key in signs if held["signs"].get(key) != signs[key])):
        raise UsageError(f"{out} was finished with another {', '.join(differ)}; give another --out or the old values")
    return load_network(out / NETWORK, trunk)
