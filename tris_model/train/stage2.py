"""Stage 2: a segmentation network, trained on the pseudo masks from stage 1's maps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from risbench.datasets.load import load_split
from risbench.errors import UsageError

from ..clip.pixels import normalised
from ..clip.tokens import tokenize
from ..config import STAGE2, Config
from ..devices import Precision, autocast, computing, elapsed
from ..files.checkpoint import load, save
from ..files.clip_file import start
from ..network.stage1 import Stage1
from ..network.stage2 import Stage2
from ..ranges import Count, Rate, Seed
from .handover import hand_over
from .loop.ahead import Ahead, Photographs
from .loop.finished import settle
from .loop.finite import check_loss, check_weights, clipped
from .loop.journal import Journal, Stopped, bar, interruptible, memory
from .loop.optimiser import Rates, adamw, decay, freeze_unused
from .loop.order import Batch, BatchOrder
from .loop.ranks import any_rank, averaged, mean_of, rank, world
from .losses import segmentation
from .refs import Refs
from .validation import best_of

MaskOf = Callable[[int], np.ndarray]
"""A function that returns the pseudo mask of a ref by its index: bool ``(H, W)``, of any size."""


@dataclass(frozen=True, slots=True)
class Stage2Recipe:
    """All settings of stage 2; the defaults are the authors'.

    Attributes:
        split, val, start, trunk, network, batch, epochs, keep_end, mirror, clip, precision, channels_last, select,
            limit, seed: as for stage 1. The authors start from CLIP, not from stage 1.
        rates: learning rates; the two position embeddings have the heads' rate.
        weight: weight of mask pixels in the loss. The authors use 1. If objects are small and predictions uncertain, no
            pixel is more probably object than background, and with 1 all masks stay empty for long.
        from_stage1: see :func:`tris_model.train.handover.hand_over`.
        schedule: ``authors`` is the authors' code, which hardly decays the rate: it counts iterations but is stepped
            once per epoch. ``poly`` decays every iteration.
    """

    split: str
    start: str
    val: str | None = None
    network: Config = field(default_factory=lambda: STAGE2)
    rates: Rates = field(default_factory=lambda: Rates(positions=5e-5))
    schedule: Literal["authors", "poly"] = "authors"
    batch: Count = 48
    epochs: Count = 15
    keep_end: bool = False
    mirror: bool = False
    clip: Rate = 0.0
    weight: Rate = 1.0
    from_stage1: bool = False
    precision: Precision = "float32"
    channels_last: bool = False
    select: Literal["last", "val_mIoU", "val_PointM"] = "last"
    limit: Count | None = None
    seed: Seed = 1234


def new(recipe: Stage2Recipe) -> Stage2:
    """The initial network: towers from a file, and heads drawn by the seed."""
    torch.manual_seed(recipe.seed)
    network = start(recipe.start, recipe.network)
    if not isinstance(network, Stage2):
        raise UsageError("stage2.network.stage must be 2")
    return network


def _stage1(out: Path) -> Stage1:
    path = out / "stage1.safetensors"
    if not path.is_file():
        raise UsageError(f"{path} is missing, and stage 2 starts from it; run --stage 1 first")
    network = load(path)
    assert isinstance(network, Stage1)
    return network


def fit(
    recipe: Stage2Recipe, mask_of: MaskOf, out: Path, device: torch.device, data_root: Path | None = None,
    places: Sequence[int] | None = None, *, masks_id: str | None = None, overwrite: bool = False,
) -> Path:  # fmt: skip
    """Train stage 2.

    Args:
        recipe: all settings.
        mask_of: returns pseudo masks; called in threads.
        out: the output folder, for ``stage2.safetensors``.
        device: the device to compute on.
        data_root: the folder of the data.
        places: indices of the refs that have a pseudo mask; all by default.
        masks_id: identifies these masks; it is stored with the weights.
        overwrite: see :func:`tris_model.train.loop.finished.settle`.

    Returns:
        The path of the weights, ``OUT/stage2.safetensors``.

    Raises:
        DataError: ``out`` holds a stage 2 of another recipe.
    """
    kept = out / "stage2.safetensors"
    if settle(kept, out / "stage2", recipe, "stage2", masks=masks_id, overwrite=overwrite):
        return kept
    if recipe.batch % world():
        raise UsageError(f"a batch of {recipe.batch} cannot be shared by {world()} ranks; make it a multiple")
    split = load_split(recipe.split, data_root)
    refs = Refs(split if recipe.limit is None else split.first_images(recipe.limit)).only(places)
    network = new(recipe)
    if recipe.from_stage1:
        hand_over(_stage1(out), network)
    network = network.to(device).train()
    freeze_unused(network, temperature=False)
    if recipe.channels_last:
        network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimiser = adamw(network, recipe.rates, fused=device.type == "cuda")
    journal = Journal(out / "stage2", writes=rank() == 0)
    best = best_of(recipe, network, out / "stage2", device, data_root)
    recipe_text = json.dumps(asdict(recipe), sort_keys=True)

    def restore(state: Any) -> None:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        best.value = state["best"]

    def state() -> dict[str, Any]:
        held = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "best": best.value}
        return held if masks_id is None else {**held, "masks": masks_id}

    begun = journal.resume(recipe_text, restore)
    learner = averaged(network)
    size = network.config.image_size
    batches = BatchOrder(
        refs, Photographs(refs.paths, size), recipe.batch, seed=recipe.seed, negatives=0, mirror=recipe.mirror
    )
    masks = Ahead(lambda at: _nearest(mask_of(refs.places[at]), size), len(refs) * size * size)
    total = recipe.epochs * batches.an_epoch

    def begin(step: int) -> tuple[Batch, list[Future[np.ndarray]]] | None:
        batch = batches.start(step) if step < total else None
        return (batch, masks.start(batch.refs)) if batch else None

    ahead = begin(begun)
    with (
        bar("stage 2", total, begun, rank() == 0) as on_progress,
        interruptible() as stopping,
        computing(recipe.precision),
    ):
        for step in range(begun, total):
            tick = time.perf_counter()
            assert ahead is not None
            (batch, pending), ahead = ahead, begin(step + 1)
            images = normalised(batches.images(batch), device)
            wanted = batches.turned(torch.from_numpy(masks.take(pending)), batch).to(device)
            if recipe.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            tokens = tokenize(batch.texts, recipe.keep_end, network.config.text_length).to(device)
            # The authors' function counts iterations but is called once per epoch.
            done = step if recipe.schedule == "poly" else step // batches.an_epoch
            decay(optimiser, done, total, recipe.rates.power)
            optimiser.zero_grad(set_to_none=True)
            with autocast(recipe.precision, device):
                logits = learner(images, tokens)
            loss = segmentation(tuple(one.float() for one in logits), wanted[:, None].float(), recipe.weight)
            loss.backward()
            norm = clipped(network.parameters(), recipe.clip)
            means = mean_of({"loss": loss})
            check_loss("stage 2", step, total, means["loss"].item(), norm, optimiser)
            optimiser.step()
            check_weights("stage 2", step, total, network.parameters(), optimiser)
            speed = len(images) * world() / elapsed(tick, device)
            rate = max(group["lr"] for group in optimiser.param_groups)
            journal.log(step, **means, lr=rate, images_per_second=speed, memory=memory(device))
            on_progress(step + 1, f"loss {means['loss'].item():.3f}  {speed:.0f} images/s")
            if (step + 1) % batches.an_epoch == 0:
                best.offer((step + 1) // batches.an_epoch)
            stop = any_rank(stopping())
            journal.keep(step + 1, recipe_text, state, now=stop)
            if stop:
                raise Stopped(f"stopped at step {step + 1} of {total}; the same command goes on")
    if rank() == 0:
        best.give(network.eval())
        origin = {} if masks_id is None else {"masks": masks_id}
        save(network, kept, {"recipe": recipe_text, "selected": recipe.select, **origin})
        journal.done()
    return kept


def _nearest(mask: np.ndarray, size: int) -> np.ndarray:
    """A pseudo mask resized to the network's size as the authors do: bool ``(size, size)``."""
    whole = torch.from_numpy(np.ascontiguousarray(mask)).float()[None, None]
    return (F.interpolate(whole, size=(size, size), mode="nearest")[0, 0] > 0.5).numpy()
