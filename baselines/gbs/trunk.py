"""In ImageNet's place: a trunk of the drawn world learns from pictures of one object what the object is.

The authors' trunk starts from ImageNet's classes. Small trunks cannot, so they are shown single objects, drawn on seeds
that belong to no split, and name their shape, colour, pattern and size. No scene and no sentence is shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbench.datasets.shapes import COLOURS, PATTERNS, SHAPES, SIZES
from tris_model.devices import autocast
from tris_model.ranges import Count, Number, Rate
from tris_model.tiny_clip import drawn_pictures
from tris_model.train.loop import rank, world

from ..train.fitting import TrainingRecipe
from .network import GbsLevels
from .pixels import normalised

KINDS: Mapping[str, tuple[str, ...]] = {
    "shape": tuple(SHAPES), "colour": tuple(COLOURS), "pattern": tuple(PATTERNS), "size": tuple(SIZES),
}  # fmt: skip
SCALE = 2 / 3  # of the side of a picture of one object to that of a scene


@dataclass(frozen=True, slots=True)
class TrunkRecipe:
    """How a drawn trunk learns before the rest.

    Attributes:
        pictures: how many are drawn; 0 leaves this stage out.
        epochs: how often each is shown.
        batch: pictures in a step.
        lr: of AdamW, falling to 0 as a cosine.
    """

    pictures: Number = 0
    epochs: Count = 2
    batch: Count = 32
    lr: Rate = 2e-3


@dataclass(frozen=True, slots=True)
class TrunkStage(TrainingRecipe):
    """The first stage's recipe as a whole.

    Attributes:
        widths: of the trunk, see :class:`baselines.gbs.config.GbsConfig`.
        side: of a scene in pixels.
        pictures, lr: see :class:`TrunkRecipe`.
        weight_decay: of AdamW.
    """

    widths: tuple[tuple[Count, ...], ...] = ((64, 64),)
    side: Count = 512
    pictures: Count = 1
    lr: Rate = 2e-3
    weight_decay: Rate = 1e-2


class ObjectNames(nn.Module):
    """The trunk, and a linear head for each kind of name on the mean of its last level."""

    def __init__(self, widths: tuple[tuple[int, ...], ...]):
        super().__init__()
        self.backbone = GbsLevels(widths)
        self.heads = nn.ModuleDict({kind: nn.Linear(widths[-1][-1], len(names)) for kind, names in KINDS.items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``(B, 3, S, S)`` -> logits ``(B, N)`` of each kind of name."""
        features = self.backbone(images)[-1].mean((2, 3))
        return {kind: head(features) for kind, head in self.heads.items()}


class TrunkTrainer:
    """The first stage, for the loop; see :class:`baselines.train.fitting.RivalTrainer`."""

    def __init__(self, recipe: TrunkStage, device: torch.device):
        torch.manual_seed(recipe.seed)
        network = ObjectNames(recipe.widths)
        draw_trunk(network.backbone)
        self.network: nn.Module = network.to(device, memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
        group = {"params": list(network.parameters()), "lr": recipe.lr, "initial_lr": recipe.lr}
        self.optimiser: torch.optim.Optimizer = torch.optim.AdamW([group], weight_decay=recipe.weight_decay)
        self.metadata: Mapping[str, str] = {}
        self.an_epoch = max(1, recipe.pictures // recipe.batch)
        self._recipe, self._device = recipe, device
        drawn = drawn_pictures("objects", recipe.pictures, 0, round(recipe.side * SCALE))
        self._images = drawn.images
        self._names = {
            kind: torch.tensor([names.index(getattr(things[0], kind)) for things in drawn.things])
            for kind, names in KINDS.items()
        }

    def start(self, step: int) -> np.ndarray:
        """The places of this rank's pictures."""
        epoch, place = divmod(step, self.an_epoch)
        order = np.random.default_rng((self._recipe.seed, epoch)).permutation(len(self._images))
        return order[place * self._recipe.batch : (place + 1) * self._recipe.batch][rank() :: world()]

    def losses(self, learner: Any, data: np.ndarray, step: int) -> tuple[dict[str, Tensor], int]:
        """The cross-entropy of each kind of name, and their sum."""
        images = normalised(torch.from_numpy(self._images[data])).to(self._device)
        with autocast(self._recipe.precision, self._device):
            logits = learner(images)
        terms = {
            kind: F.cross_entropy(logits[kind].float(), names[data].to(self._device))
            for kind, names in self._names.items()
        }
        return {**terms, "loss": torch.stack(list(terms.values())).sum()}, len(images)

    def rate(self, step: int, total: int) -> float:
        """A cosine."""
        return (1 + math.cos(math.pi * step / total)) / 2

    def method(self, weights: Path) -> Any:
        """A trunk alone is no method: the first stage is not scored."""
        raise NotImplementedError


@torch.no_grad()
def draw_trunk(trunk: GbsLevels) -> None:
    """Weights for ReLUs, as torchvision draws a VGG."""
    for layer in trunk.layers:
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
