"""The tiny CLIP of the drawn world: ``risbench train clip --recipe shapes``.

TRIS starts from it and uses it as its scorer, so TRIS cannot learn what it does not recognise. The loop is in
``trainer``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from risbench.errors import UsageError

from ..clip.towers import Clip
from ..config import Config
from ..devices import pick
from ..files.architecture import fill
from ..files.clip_file import open_clip_file
from ..ranges import Rate
from ..train.inputs import building, check_clip
from ..train.recipe import FOLDER, names, one
from .course import Course
from .towers import TowerTrainer
from .trainer import centre_texts, teach, word_ids


@dataclass(frozen=True, slots=True)
class ClipRecipe(Course):
    """All settings of the tiny CLIP.

    Attributes:
        network: the network's sizes; ``vocabulary`` is set from the words of the drawn world.
        ramp: initial standard deviation of the coordinate ramp and of the attention pool's position embeddings.
    """

    network: Config = field(default_factory=Config)
    ramp: Rate = 0.3


def train(
    recipe: str,
    *,
    out: str | Path,
    device: str = "auto",
    stage: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Train the tiny CLIP.

    Args:
        recipe: a recipe's name, or a TOML file with a table ``clip``.
        out: the output folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``.
        stage: must be None, because this training has no stages.
        overwrite: replace a training by another recipe in ``out``; without it, such a folder is refused.
        options: changes to the recipe, such as ``lr=…`` or ``second.steps=…``.

    Returns:
        The weights, ``OUT/clip.safetensors``.
    """
    if stage is not None:
        raise UsageError("clip has no stages; leave --stage out")
    return fit(one(ClipRecipe, recipe, "clip", options), Path(out), pick(device), overwrite=overwrite)


def start(recipe: ClipRecipe) -> Clip:
    """The initial network."""
    torch.manual_seed(recipe.seed)
    ids = word_ids()
    network = Clip(replace(recipe.network, trimmed=True, vocabulary=len(ids) + 1))
    assert network.token_ids is not None
    network.token_ids.copy_(ids)
    with torch.no_grad():
        network.visual.attnpool.positional_embedding.normal_(std=recipe.ramp)
        if network.visual.ramp is not None:
            network.visual.ramp.normal_(std=recipe.ramp)
        network.logit_scale.fill_(log(recipe.temperature_start))
    if recipe.start is not None:
        fill(network, open_clip_file(recipe.start)[0], f"{recipe.start} as a CLIP of the recipe's sizes")
    return network


def fit(recipe: ClipRecipe, out: Path, device: torch.device, *, overwrite: bool = False) -> Path:
    """Train by a recipe; see :func:`tris_model.tiny_clip.trainer.teach`.

    Raises:
        UsageError: the file ``start`` does not exist.
        DataError: the file holds no CLIP of the recipe's sizes.
    """
    if recipe.start is not None:
        check_clip("clip.start", recipe.start, "shapes_train", lambda: start(recipe))
    with building("clip"):
        made = start(recipe)
    network = made.to(device, memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
    return teach(TowerTrainer("clip", network, recipe, _centre), out, device, overwrite=overwrite)


@torch.no_grad()
def _centre(network: Clip, images: Tensor, tokens: Tensor) -> None:
    """Subtract the mean features of some images and captions from the outputs of the two towers."""
    centre_texts(network, tokens)
    network.visual.attnpool.c_proj.bias.sub_(network.encode_image(images).mean(0))


train.recipes = names("clip")  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
