"""The tiny CLIP with a vision transformer: ``risbench train clip-vit --recipe shapes``.

The compared methods use three features of it: its class token, the mean of its patch tokens (CLIP-ES), and its patches
through the last block's values alone (MaskCLIP). So all three are trained, with the same contrastive losses. Single
objects are shown in mosaics, because otherwise patches would not encode what lies at their own place; see ``mosaic``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from risbench import UsageError
from tris_model.devices import pick
from tris_model.files import fill
from tris_model.ranges import Count, Rate
from tris_model.tiny_clip import Course, ShownLesson, TowerTrainer, centre_texts, teach, word_ids
from tris_model.train import building, names, one

from .._clip.vit import VitClip, VitConfig, load_vit
from .mosaic import TILES, show_tiled

FOLDER = Path(__file__).parent.parent / "recipes"
TABLE = "clip_vit"


@dataclass(frozen=True, slots=True)
class VitRecipe(Course):
    """All settings of the tiny CLIP with a vision transformer.

    Attributes:
        network: the network's sizes; ``vocabulary`` is set from the words of the drawn world.
        warmup: steps until the learning rate reaches its full value.
        positions: standard deviation of the initial position embeddings. They are smooth: neighbours are nearly equal,
            so that the network learns left and right before it has seen an object at every place.
    """

    network: VitConfig = field(default_factory=VitConfig)
    warmup: Count = 100
    positions: Rate = 0.5


def train(
    recipe: str,
    *,
    out: str | Path,
    device: str = "auto",
    stage: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Train the tiny CLIP with a vision transformer.

    Args:
        recipe: a recipe's name, or a TOML file with a table ``clip_vit``.
        out: the output folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``.
        stage: must be None, because this training has no stages.
        overwrite: replace a training by another recipe in ``out``; without it, such a folder is refused.
        options: changes to the recipe, such as ``lr=…`` or ``second.steps=…``.

    Returns:
        The weights, ``OUT/clip_vit.safetensors``.
    """
    if stage is not None:
        raise UsageError("clip-vit has no stages; leave --stage out")
    return fit(one(VitRecipe, recipe, TABLE, options, FOLDER), Path(out), pick(device), overwrite=overwrite)


def start(recipe: VitRecipe) -> VitClip:
    """The initial network."""
    torch.manual_seed(recipe.seed)
    ids = word_ids()
    network = VitClip(replace(recipe.network, trimmed=True, vocabulary=len(ids) + 1))
    assert network.token_ids is not None
    network.token_ids.copy_(ids)
    with torch.no_grad():
        network.logit_scale.fill_(log(recipe.temperature_start))
        coarse = torch.randn(1, recipe.network.width, 3, 3) * recipe.positions
        fine = F.interpolate(coarse, size=(recipe.network.grid,) * 2, mode="bilinear", align_corners=True)
        network.visual.positional_embedding[1:] = fine[0].flatten(1).T
        for block in network.visual.blocks:  # a deep sum of blocks starts no louder than one of them
            for last in (block.attn.out_proj, block.mlp.c_proj):
                last.weight.mul_((2 * recipe.network.depth) ** -0.5)
    if recipe.start is not None:
        fill(network, load_vit(recipe.start).state_dict(), f"{recipe.start} as a CLIP of the recipe's sizes")
    return network


def fit(recipe: VitRecipe, out: Path, device: torch.device, *, overwrite: bool = False) -> Path:
    """Train by a recipe; see :func:`tris_model.tiny_clip.trainer.teach`.

    Raises:
        UsageError: a lesson cannot be divided into tiles or patches.
    """
    for name, lesson in (("first", recipe.first), ("second", recipe.second)):
        if lesson.objects % TILES**2:
            raise UsageError(
                f"{TABLE}.{name}.objects={lesson.objects}: give a multiple of {TILES**2}, the number in a mosaic"
            )
        if lesson.side % (TILES * recipe.network.patch):
            raise UsageError(f"{TABLE}.{name}.side={lesson.side}: give a multiple of {TILES * recipe.network.patch}")
    with building(TABLE):
        made = start(recipe)
    network = made.to(device, memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
    trainer = TowerTrainer(TABLE, network, recipe, _centre, show_tiled, views, recipe.warmup)
    return teach(trainer, out, device, overwrite=overwrite)


def views(network: VitClip, images: Tensor, shown: ShownLesson) -> list[Tensor]:
    """The three features of each tile of the mosaics, which come first, and of each whole scene."""
    tokens = network.visual.before_last(images)
    mosaics = (len(shown.things) - len(images)) // (TILES**2 - 1)
    groups = [summaries(network, part) for part in (tiles(tokens[:mosaics]), tokens[mosaics:]) if len(part)]
    return [torch.cat(some) for some in zip(*groups, strict=True)]


def tiles(tokens: Tensor) -> Tensor:
    """Split the tokens of mosaics, ``(M, 1 + h * w, C)``, into those of their tiles: ``(4 M, 1 + h * w / 4, C)``.

    Every tile gets a copy of the class token, which then attends to this tile alone, in the last block.
    """
    count, side = len(tokens), round((tokens.shape[1] - 1) ** 0.5) // TILES
    cells = tokens[:, 1:].unflatten(1, (TILES, side, TILES, side)).transpose(2, 3)
    first = tokens[:, None, :1].expand(-1, TILES**2, -1, -1)
    return torch.cat([first, cells.reshape(count, TILES**2, side**2, -1)], 2).flatten(0, 1)


def summaries(network: VitClip, before: Tensor) -> list[Tensor]:
    """The trained features ``(B, D)`` from the input tokens of the last block ``(B, 1 + L, C)``; not normalised.

    Returns:
        The class token, the mean of the patches, and the mean of the patches through the last block's values alone.
    """
    visual, block = network.visual, network.visual.blocks[-1]
    after = block(before)
    alone = before[:, 1:]
    values = block.attn.split(block.ln_1(alone))[2].transpose(1, 2).flatten(2)
    alone = alone + block.attn.out_proj(values)
    alone = alone + block.mlp(block.ln_2(alone))
    return [visual.summary(after[:, 0]), visual.summary(after[:, 1:].mean(1)), visual.summary(alone).mean(1)]


@torch.no_grad()
def _centre(network: VitClip, images: Tensor, tokens: Tensor) -> None:
    """Subtract the mean features of some images and captions from the outputs of the two towers."""
    centre_texts(network, tokens)
    visual = network.visual
    after = visual.ln_post(visual.blocks(visual.embed(images)))
    visual.ln_post.bias.sub_(after.mean((0, 1)))


train.recipes = names(TABLE, FOLDER)  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
