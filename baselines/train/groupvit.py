"""The tiny GroupViT of the drawn world: ``risbench train groupvit --recipe shapes``.

A small network of transformers learns from scratch from whole images and captions of their objects. It never gets a
mask or a position. GroupViT's own contrastive loss uses the mean of an image's groups. A second loss matches every
caption with one group of its image (see ``_groupvit_losses``). Without it, a training as short as this does not learn
groups.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from risbench import UsageError
from tris_model.clip import normalised
from tris_model.devices import autocast, pick
from tris_model.ranges import Positive, Rate
from tris_model.tiny_clip import (
    WARMUP,
    Course,
    Lesson,
    Pictures,
    StepInputs,
    Thing,
    alone,
    ask,
    contrastive_loss,
    mixed,
    teach,
)
from tris_model.train import building, names, one

from ._groupvit_losses import one_group, unevenness
from ._groupvit_start import Tiny, TinySizes, started
from .mosaic import TILES, show_tiled

FOLDER = Path(__file__).parent.parent / "recipes"
TABLE = "groupvit"


@dataclass(frozen=True, slots=True)
class GroupViTRecipe(Course):
    """All settings of the tiny GroupViT.

    Attributes:
        network: the network's sizes.
        residual, sharp: see :func:`baselines.train._groupvit_start.started`.
        whole: weight of GroupViT's own contrastive loss.
        even: weight of the loss for an even use of the groups over a batch. Without it, a short training leaves most
            groups empty.
    """

    network: TinySizes = field(default_factory=TinySizes)
    residual: Positive = 0.1
    sharp: Rate = 2.0
    whole: Rate = 0.5
    even: Rate = 5.0


def train(
    recipe: str,
    *,
    out: str | Path,
    device: str = "auto",
    stage: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Train the tiny GroupViT.

    Args:
        recipe: a recipe's name, or a TOML file with a table ``groupvit``.
        out: the output folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``.
        stage: must be None, because this training has no stages.
        overwrite: replace a training by another recipe in ``out``; without it, such a folder is refused.
        options: changes to the recipe, such as ``lr=…`` or ``second.steps=…``.

    Returns:
        The weights, ``OUT/groupvit.safetensors``.
    """
    if stage is not None:
        raise UsageError("groupvit has no stages; leave --stage out")
    return fit(one(GroupViTRecipe, recipe, TABLE, options, FOLDER), Path(out), pick(device), overwrite=overwrite)


def fit(recipe: GroupViTRecipe, out: Path, device: torch.device, *, overwrite: bool = False) -> Path:
    """Train by a recipe; see :func:`tris_model.tiny_clip.trainer.teach`.

    Raises:
        UsageError: the recipe sets ``start``, which a GroupViT does not support.
    """
    if recipe.start is not None:
        raise UsageError("groupvit trains from scratch; leave start out")
    with building(TABLE):
        tiny = started(
            recipe.network,
            seed=recipe.seed,
            temperature=recipe.temperature_start,
            residual=recipe.residual,
            sharp=recipe.sharp,
        )
    tiny.network.to(device).train()
    return teach(GroupViTTrainer(tiny, recipe), out, device, overwrite=overwrite)


@dataclass(frozen=True)
class GroupViTTrainer:
    """The trainer of the tiny GroupViT; see :class:`tris_model.tiny_clip.Trainer`."""

    network: Tiny
    course: GroupViTRecipe
    name: str = TABLE
    warmup: int = WARMUP

    def centre(self, images: Tensor, tokens: Tensor) -> None:
        """Nothing is centred: a GroupViT starts with its drawn weights."""

    def losses(self, step: StepInputs) -> dict[str, Tensor]:
        """One forward pass of a batch of objects and whole scenes, and the contrastive losses of all its questions."""
        tiny, recipe, draw, device = self.network, self.course, step.draw, step.device
        torch.manual_seed(int(draw.integers(2**31)))  # of the noise in the assignments: a resumed training is the same
        temperature = tiny.logit_scale.exp().clamp(max=recipe.temperature_limit)

        # Images, and the captions of every question about them.
        images, things = pictured(step.lesson, step.objects, step.scenes, draw)
        questions = [*alone(draw), *(mixed(draw, recipe.places, recipe.relations) for _ in range(recipe.mixed))]
        each_thing = [one for some in things for one in some]
        answered = [answers(*ask(question, each_thing, draw), things) for question in questions]
        answered = [(captions, true) for captions, true in answered if captions]

        # Features of groups, of whole images and of texts.
        with autocast(recipe.precision, device):
            cells, shares = tiny.cells(normalised(images, device))
        groups, mean = tiny.project(cells), tiny.project(cells.mean(1))
        distinct = sorted({text for captions, _ in answered for text in captions})
        with torch.set_grad_enabled(not step.freeze_text):
            text_features = dict(zip(distinct, tiny.encode_texts(distinct), strict=True))

        # The contrastive losses.
        found, whole = [], []
        for captions, true in answered:
            texts, fits = torch.stack([text_features[text] for text in captions]), torch.from_numpy(true).to(device)
            found.append(one_group(groups @ texts.T, fits, temperature))
            whole.append(contrastive_loss(mean, texts, fits, temperature))
        return {
            "groups": torch.stack(found).sum(),
            "whole": recipe.whole * torch.stack(whole).sum(),
            "even": recipe.even * torch.stack([unevenness(share) for share in shares]).sum(),
        }


def pictured(
    lesson: Lesson, objects: Pictures, scenes: Pictures, draw: np.random.Generator
) -> tuple[np.ndarray, list[list[Thing]]]:
    """Mosaics of four single objects, and whole scenes: uint8 ``(B, S, S, 3)``; also the objects of every image."""
    images, things = [], []
    if lesson.objects:
        tiled = show_tiled(objects, scenes, replace(lesson, scenes=0), 0, draw)
        images.append(tiled.images)
        things += [tiled.things[at : at + TILES**2] for at in range(0, len(tiled.things), TILES**2)]
    if lesson.scenes:
        places = draw.integers(len(scenes.images), size=lesson.scenes)
        images.append(scenes.images[places])
        things += [scenes.things[place] for place in places.tolist()]
    return np.concatenate(images), things


def answers(captions: list[str], true: np.ndarray, things: list[list[Thing]]) -> tuple[list[str], np.ndarray]:
    """Which captions are true of each image, bool ``(B, U)``, from those true of each object, ``(all objects, U)``."""
    ends = np.cumsum([len(some) for some in things])
    by_picture = [part.any(0) for part in np.split(true, ends[:-1])]
    return captions, np.array(by_picture, bool).reshape(len(things), len(captions))


train.recipes = names(TABLE, FOLDER)  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
