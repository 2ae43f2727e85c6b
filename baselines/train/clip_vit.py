"""The tiny CLIP with a vision transformer: ``risbench train clip-vit --recipe shapes``.

Rivals ask it three things: its class token, the mean of its patch tokens (CLIP-ES), and its patches by the values of
the last block alone (MaskCLIP). So all three are taught, by the same contrasts: a picture's texts must be near each.
Single objects are shown in mosaics, or patches would not keep to what lies where they are; see ``mosaic``.
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
    """Everything that decides the tiny CLIP with a vision transformer.

    Attributes:
        network: sizes; ``vocabulary`` follows from the words.
        warmup: steps until the rate is whole.
        positions: deviation of the table of positions at the start, a smooth one: neighbours have nearly the same, so
            that left and right are told apart before every place has been seen.
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
        recipe: a name or a TOML file with a table ``clip_vit``.
        out: folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``.
        stage: there is none.
        overwrite: train anew where ``out`` holds a training by another recipe, which is refused otherwise.
        options: changes to the recipe, ``lr=…`` or ``second.steps=…``.

    Returns:
        The weights, ``OUT/clip_vit.safetensors``.
    """
    if stage is not None:
        raise UsageError("clip-vit trains in one piece; leave --stage out")
    return fit(one(VitRecipe, recipe, TABLE, options, FOLDER), Path(out), pick(device), overwrite=overwrite)


def start(recipe: VitRecipe) -> VitClip:
    """The network before it learns anything."""
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
        UsageError: a lesson that cannot be cut into tiles or patches.
    """
    for name, lesson in (("first", recipe.first), ("second", recipe.second)):
        if lesson.objects % TILES**2:
            raise UsageError(
                f"{TABLE}.{name}.objects={lesson.objects}: give a multiple of {TILES**2}, as many as a mosaic"
            )
        if lesson.side % (TILES * recipe.network.patch):
            raise UsageError(f"{TABLE}.{name}.side={lesson.side}: give a multiple of {TILES * recipe.network.patch}")
    with building(TABLE):
        made = start(recipe)
    network = made.to(device, memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
    trainer = TowerTrainer(TABLE, network, recipe, _centre, show_tiled, views, recipe.warmup)
    return teach(trainer, out, device, overwrite=overwrite)


def views(network: VitClip, images: Tensor, shown: ShownLesson) -> list[Tensor]:
    """The three summaries of everything that is shown: of tiles for mosaics, which come first, of whole scenes."""
    tokens = network.visual.before_last(images)
    mosaics = (len(shown.things) - len(images)) // (TILES**2 - 1)
    groups = [summaries(network, part) for part in (tiles(tokens[:mosaics]), tokens[mosaics:]) if len(part)]
    return [torch.cat(some) for some in zip(*groups, strict=True)]


def tiles(tokens: Tensor) -> Tensor:
    """Tokens of mosaics, ``(M, 1 + h * w, C)``, each tile's by themselves: ``(4 M, 1 + h * w / 4, C)``.

    The class token goes with every tile; what it learns of one it learns in the last block alone, by attending there.
    """
    count, side = len(tokens), round((tokens.shape[1] - 1) ** 0.5) // TILES
    cells = tokens[:, 1:].unflatten(1, (TILES, side, TILES, side)).transpose(2, 3)
    first = tokens[:, None, :1].expand(-1, TILES**2, -1, -1)
    return torch.cat([first, cells.reshape(count, TILES**2, side**2, -1)], 2).flatten(0, 1)


def summaries(network: VitClip, before: Tensor) -> list[Tensor]:
    """What is taught of tokens that enter the last block, ``(B, 1 + L, C)``: each ``(B, D)``, not normalised.

    Returns:
        The class token, the mean of patches, and the mean of patches by the last block's values alone.
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
    """Take the means of some pictures and of their captions out of what the two towers give."""
    centre_texts(network, tokens)
    visual = network.visual
    after = visual.ln_post(visual.blocks(visual.embed(images)))
    visual.ln_post.bias.sub_(after.mean((0, 1)))


train.recipes = names(TABLE, FOLDER)  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
