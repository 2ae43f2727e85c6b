"""Stage 1: response maps from texts alone."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from risbench.datasets.load import load_split
from risbench.errors import UsageError

from ..clip.pixels import normalised
from ..clip.tokens import tokenize
from ..config import Config
from ..devices import Precision, autocast, computing, elapsed
from ..files.checkpoint import save
from ..files.clip_file import load_clip, open_clip_file, start
from ..network.stage1 import Stage1
from ..ranges import Count, Number, Rate, Seed
from .loop.ahead import Photographs
from .loop.finished import settle
from .loop.finite import check_loss, check_weights, clipped
from .loop.journal import Journal, Stopped, bar, interruptible, memory
from .loop.optimiser import Rates, adamw, decay, freeze_unused
from .loop.order import Batch, BatchOrder
from .loop.ranks import any_rank, averaged, mean_of, rank, world
from .objective import Objective, Weights
from .refs import Refs
from .scorers import FrozenScorer, scorer
from .validation import best_of

SAMPLE = 256  # images and texts that show how long features are


@dataclass(frozen=True, slots=True)
class Stage1Recipe:
    """All settings of stage 1; the defaults are those of the authors' code at HEAD.

    Attributes:
        imagenet: torchvision's weights file, for ``trunk``.
        split: the training split; its masks are never used.
        val: the validation split, for the final table, and for ``select`` if that uses validation scores.
        start: the file of the CLIP whose towers the network starts from.
        heads: ``drawn`` at random, as the authors do; or ``pool``: the two projections start as CLIP's own projections
            of a cell and of a text into its joint space, so that a short training need not learn them.
        trunk: ``clip``, or ``imagenet``: torchvision's ResNet-50 instead of CLIP's image tower.
        scorer: the file of the frozen scorer.
        cone: for a tiny CLIP, the shared coordinate of the scorer (see :class:`~tris_model.train.scorers.FrozenScorer`)
            and of heads that start from the pool.
        network: the network's sizes; those of the towers come from ``start``.
        batch: number of images of all ranks together (the paper's N is one less).
        negatives: number of negatives per image, the paper's K.
        keep_end: keep the end-of-text of texts that are too long.
        mirror: mirror images and their texts at random; only for drawn scenes, whose sentences can be mirrored.
        clip: largest norm of the gradient; 0 for no clipping.
        channels_last: use the channels-last memory format, which is faster on GPUs.
        select: which weights are kept: the last ones, or the best on ``val``, which uses its masks.
        stop_at_strangers: see :class:`~tris_model.train.refs.Refs`.
    """

    split: str
    start: str
    scorer: str
    cone: Rate = 0.0
    val: str | None = None
    trunk: Literal["clip", "imagenet"] = "clip"
    imagenet: str | None = None
    heads: Literal["drawn", "pool"] = "drawn"
    network: Config = field(default_factory=Config)
    weights: Weights = field(default_factory=Weights)
    rates: Rates = field(default_factory=Rates)
    batch: Count = 48
    epochs: Count = 15
    negatives: Number = 3
    keep_end: bool = False
    mirror: bool = False
    clip: Rate = 0.0
    precision: Precision = "float32"
    channels_last: bool = False
    select: Literal["last", "val_mIoU", "val_PointM"] = "last"
    stop_at_strangers: bool = True
    limit: Count | None = None
    seed: Seed = 1234


def new(recipe: Stage1Recipe) -> Stage1:
    """The initial network: CLIP's towers, and heads drawn by the seed."""
    torch.manual_seed(recipe.seed)
    network = start(recipe.start, recipe.network)
    if not isinstance(network, Stage1):
        raise UsageError("stage1.network.stage must be 1")
    if recipe.trunk == "imagenet":
        from .imagenet import put_trunk

        put_trunk(network, recipe.imagenet)
    if recipe.heads == "pool":
        _from_pool(network, recipe.start)
    return network


@torch.no_grad()
def _from_pool(network: Stage1, path: str) -> None:
    """Set the projection of cells to the attention pool's (values, then output), and that of texts to the identity."""
    state, config = open_clip_file(path)
    if network.config.hidden != config.embed:
        raise UsageError(f"heads = pool needs stage1.network.hidden = {config.embed}, the CLIP's joint space")
    value, bias = state["visual.attnpool.v_proj.weight"], state["visual.attnpool.v_proj.bias"]
    onward = state["visual.attnpool.c_proj.weight"]
    network.vis_project.weight.copy_((onward @ value)[:, :, None, None])
    assert network.vis_project.bias is not None
    network.vis_project.bias.copy_(onward @ bias + state["visual.attnpool.c_proj.bias"])
    network.lan_project.weight.copy_(torch.eye(config.embed))
    network.lan_project.bias.zero_()


@torch.no_grad()
def _add_cone(network: Stage1, refs: Refs, photographs: Photographs, recipe: Stage1Recipe) -> None:
    """Shift the projections' outputs, of cells and of texts, along the direction that images and texts use least.

    A background cell has a short feature, so the shift determines its direction. The whole background then begins as
    one vector, and a few steps learn to separate objects from it. Without the shift, every background cell has its own
    direction.
    """
    device = network.logit_scale.device
    clip = load_clip(recipe.start).eval().to(device)
    some = refs.order(recipe.seed, 0)[:SAMPLE]
    tokens = tokenize([refs.refs[at].texts[0] for at in some], recipe.keep_end, clip.config.text_length)
    images = normalised(photographs.batch([refs.refs[at].image for at in some]), device)
    image_features = torch.cat([clip.encode_image(part) for part in images.split(32)])
    read = clip.encode_text(tokens.to(device))
    both = torch.cat([F.normalize(image_features, dim=1), F.normalize(read, dim=1)])
    direction = torch.linalg.svd(both, full_matrices=False).Vh[-1]
    assert network.vis_project.bias is not None
    network.vis_project.bias += recipe.cone * image_features.norm(dim=1).mean() * direction
    network.lan_project.bias += recipe.cone * read.norm(dim=1).mean() * direction


def _read(judge: FrozenScorer | None, batch: Batch) -> tuple[Tensor | None, Tensor | None]:
    """The scorer's features of a batch's texts, ``(B, D)``, and of their negatives, ``(B, K, D)``."""
    if judge is None:
        return None, None
    others = [text for row in batch.negatives for text in row]
    own = judge.encode_text(batch.texts)
    return own, judge.encode_text(others).unflatten(0, (len(batch.texts), -1)) if others else None


def fit(
    recipe: Stage1Recipe, out: Path, device: torch.device, data_root: Path | None = None, *, overwrite: bool = False
) -> Path:
    """Train stage 1.

    Args:
        recipe: all settings.
        out: the output folder, for ``stage1.safetensors``. A training by this recipe in it is continued, or returned if
            it is finished.
        device: the device to compute on.
        data_root: the folder of the data.
        overwrite: see :func:`tris_model.train.loop.finished.settle`.

    Returns:
        The path of the weights, ``OUT/stage1.safetensors``.

    Raises:
        DataError: ``out`` holds a stage 1 of another recipe.
    """
    kept = out / "stage1.safetensors"
    if settle(kept, out / "stage1", recipe, "stage1", overwrite=overwrite):
        return kept
    if recipe.batch % world():
        raise UsageError(f"a batch of {recipe.batch} cannot be shared by {world()} ranks; make it a multiple")
    split = load_split(recipe.split, data_root)
    split = split if recipe.limit is None else split.first_images(recipe.limit)
    refs = Refs(split, stop_at_strangers=recipe.stop_at_strangers)
    network = new(recipe).to(device).train()
    freeze_unused(network, recipe.rates.temperature > 0)
    weights = recipe.weights
    judge = (
        scorer(recipe.scorer, device, recipe.keep_end, recipe.cone) if weights.positive or weights.negative else None
    )
    if recipe.channels_last:
        network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimiser = adamw(network, recipe.rates, fused=device.type == "cuda")
    photographs = Photographs(refs.paths, network.config.image_size)
    journal = Journal(out / "stage1", writes=rank() == 0)
    if recipe.cone and recipe.heads == "pool":
        with computing(recipe.precision):
            _add_cone(network, refs, photographs, recipe)
    best = best_of(recipe, network, out / "stage1", device, data_root)
    recipe_text = json.dumps(asdict(recipe), sort_keys=True)

    def load(state: Any) -> None:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        best.value = state["best"]

    def state() -> dict[str, Any]:
        return {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "best": best.value}

    begun = journal.resume(recipe_text, load)
    objective = averaged(Objective(network, judge, weights))
    batches = BatchOrder(
        refs, photographs, recipe.batch, seed=recipe.seed, negatives=recipe.negatives, mirror=recipe.mirror
    )
    total = recipe.epochs * batches.an_epoch
    ahead = batches.start(begun) if begun < total else None
    with (
        bar("stage 1", total, begun, rank() == 0) as on_progress,
        interruptible() as stopping,
        computing(recipe.precision),
    ):
        for step in range(begun if judge else 0):  # a text's rounding depends on the texts that it is first read with
            _read(judge, batches.draw(step))
        for step in range(begun, total):
            tick = time.perf_counter()
            batch, ahead = ahead, batches.start(step + 1) if step + 1 < total else None
            assert batch is not None
            images = normalised(batches.images(batch), device)
            if recipe.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            tokens = tokenize(batch.texts, recipe.keep_end, network.config.text_length).to(device)
            own, rest = _read(judge, batch)
            decay(optimiser, step, total, recipe.rates.power)  # every iteration
            optimiser.zero_grad(set_to_none=True)
            with autocast(recipe.precision, device):
                terms = objective(images, tokens, own, rest)
            terms["loss"].backward()
            norm = clipped(network.parameters(), recipe.clip)
            means = mean_of(terms)
            check_loss("stage 1", step, total, means["loss"].item(), norm, optimiser)
            optimiser.step()
            check_weights("stage 1", step, total, network.parameters(), optimiser)
            speed = len(images) * world() / elapsed(tick, device)
            rate = optimiser.param_groups[0]["lr"]
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
        save(network, kept, {"recipe": recipe_text, "selected": recipe.select})
        journal.done()
    return kept
