"""The training loop of the rivals: resumable, shared by the ranks of torchrun, and the same for every network.

Each rival brings a :class:`RivalTrainer`: its network and optimiser, the data of a step, and its losses. What is drawn
at random in a step depends on the recipe's seed, the step and the rank alone. So a training that was stopped goes on to
the same weights.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from risbench import Method, Run, UsageError, evaluate, load_split
from tris_model.devices import Precision, computing, elapsed
from tris_model.files import write
from tris_model.ranges import Count, Rate, Seed
from tris_model.train import check_folder, check_split
from tris_model.train.loop import (
    Best,
    Journal,
    Stopped,
    any_rank,
    averaged,
    bar,
    check_loss,
    check_selection,
    check_weights,
    clipped,
    forget_peak,
    interruptible,
    mean_of,
    memory,
    rank,
    settle,
    world,
)


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """What a recipe of any rival decides; a trainer's own record adds its network, rates and weights of losses.

    Attributes:
        split: what is learnt from.
        val: a split with masks on which weights are chosen, and that is scored after every epoch.
        select: ``last``, or ``val_METRIC``: the weights that score best on ``val`` are kept.
        batch: of all ranks together.
        epochs: how often the split is seen.
        clip: the largest norm of all gradients; 0 lets them be.
        precision: of the forward pass.
        limit: the first images alone.
        seed: decides everything that is drawn at random.
    """

    split: str
    val: str | None = None
    select: str = "last"
    batch: Count = 32
    epochs: Count = 1
    clip: Rate = 0.0
    precision: Precision = "float32"
    limit: Count | None = None
    seed: Seed = 0


class RivalTrainer(Protocol):
    """What the loop needs of a rival.

    Attributes:
        network: what learns, on its device and in the mode in which it is trained; its state dict is what is kept.
        optimiser: over the parameters of the network that learn; parameters that must not learn, or that get no
            gradient, have ``requires_grad`` off. Every group has an ``initial_lr``.
        an_epoch: steps of an epoch.
        metadata: what the file of weights says of itself, beside the recipe.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    an_epoch: int
    metadata: Mapping[str, str]

    def start(self, step: int) -> Any:
        """Begin to read this rank's data of a step, in threads; called one step ahead."""
        ...

    def losses(self, learner: Any, data: Any, step: int) -> tuple[dict[str, Tensor], int]:
        """One forward pass.

        Args:
            learner: the network, which must be called through this name: its gradients are averaged over ranks.
            data: what ``start`` gave.
            step: from 0; torch's generator is seeded by it.

        Returns:
            The terms by name, the one called ``loss`` being what is made small; and the number of images.
        """
        ...

    def rate(self, step: int, total: int) -> float:
        """What every group's ``initial_lr`` is multiplied by at a step."""
        ...

    def method(self, weights: Path) -> Method:
        """The method with these weights, for the validation split."""
        ...


def fit(
    name: str,
    recipe: Any,
    build: Callable[[], RivalTrainer],
    out: Path,
    device: torch.device,
    data_root: Path | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """The loop.

    Args:
        name: of the rival, as its file of weights, its folder and its table in a recipe are called.
        recipe: a frozen dataclass that extends :class:`TrainingRecipe`.
        build: makes the trainer; called only if there is something to train.
        out: folder; holds ``NAME.safetensors`` at the end and ``NAME/`` (log, state). An unfinished training in it is
            continued, a finished one returned; one of another recipe is refused.
        device: of the batches.
        data_root: where the data lie.
        overwrite: train anew where ``out`` holds a training by another recipe.

    Returns:
        The weights, ``OUT/NAME.safetensors``.

    Raises:
        UsageError: a batch that ranks cannot share, a choice of weights without a ``val``, or a split that is unknown.
        DataError: ``out`` holds a training by another recipe, or data are missing.
    """
    forget_peak(device)
    weights, folder = out / f"{name}.safetensors", out / name
    if settle(weights, folder, recipe, name, overwrite=overwrite):
        return weights
    if recipe.batch % world():
        raise UsageError(f"a batch of {recipe.batch} cannot be shared by {world()} ranks; make it a multiple")
    check_folder(out, [name])
    check_selection(name, recipe.select, recipe.val)
    check_split(f"{name}.split", recipe.split, data_root)
    if recipe.val is not None:
        check_split(f"{name}.val", recipe.val, data_root)

    # The network, its optimiser, and the state of an unfinished training.
    trainer = build()
    network, optimiser = trainer.network, trainer.optimiser
    recipe_text = json.dumps(asdict(recipe), sort_keys=True)
    journal = Journal(folder, writes=rank() == 0)

    def save(path: Path) -> None:
        write(network.state_dict(), path, {**trainer.metadata, "recipe": recipe_text, "selected": recipe.select})

    def validate(file: Path, place: Path) -> Run:
        split = load_split(recipe.val, data_root)
        return evaluate(trainer.method(file), split, out=place, name=name, progress=False)  # beside the training's bar

    best = Best(recipe.select, folder, save, validate)

    def state() -> dict[str, Any]:
        return {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "best": best.value}

    def load(state: Any) -> None:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        best.value = state["best"]

    begun = journal.resume(recipe_text, load, type(recipe))
    learner = averaged(network)
    total = recipe.epochs * trainer.an_epoch

    # The steps.
    ahead = trainer.start(begun) if begun < total else None
    with (
        bar(name, total, begun, rank() == 0) as on_progress,
        interruptible() as stopping,
        computing(recipe.precision),
    ):
        for step in range(begun, total):
            tick = time.perf_counter()
            data, ahead = ahead, trainer.start(step + 1) if step + 1 < total else None
            factor = float(trainer.rate(step, total))  # a number of NumPy could not be loaded from the state
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * factor
            torch.manual_seed(int(np.random.SeedSequence((recipe.seed, step, rank())).generate_state(1)[0]))
            terms, images = trainer.losses(learner, data, step)
            optimiser.zero_grad(set_to_none=True)
            terms["loss"].backward()
            norm = clipped(network.parameters(), recipe.clip)
            means = mean_of(terms)
            check_loss(name, step, total, means["loss"].item(), norm, optimiser)
            optimiser.step()
            check_weights(name, step, total, network.parameters(), optimiser)
            speed = images * world() / elapsed(tick, device)
            rate = max(group["lr"] for group in optimiser.param_groups)
            journal.log(step, **means, lr=rate, images_per_second=speed, memory=memory(device))
            on_progress(step + 1, f"loss {means['loss'].item():.3f}  {speed:.0f} images/s")
            if (step + 1) % trainer.an_epoch == 0:
                best.offer((step + 1) // trainer.an_epoch)
            stop = any_rank(stopping())
            journal.keep(step + 1, recipe_text, state, now=stop)
            if stop:
                raise Stopped(f"stopped at step {step + 1} of {total}; the same command goes on")

    # The weights.
    if rank() == 0:
        best.give(network)
        save(weights)
        journal.done()
    return weights
