"""The first stage: the contour network learns from images and boxes, without expressions and without masks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from risbench import DataError, load_split
from risbench.datasets.images import read_image
from tris_model.devices import autocast
from tris_model.files import fill, read
from tris_model.ranges import Count, Rate
from tris_model.train import building
from tris_model.train.loop import Ahead, rank, world

from ..train.fitting import TrainingRecipe
from .boxed import boxed_objects, window_round
from .contour import ContourNetwork, ContourSizes, ContourWeights, contour_input, contour_losses

NAME = "cts_style_contour"


@dataclass(frozen=True, slots=True)
class ContourRecipe:
    """The first stage of a training.

    Attributes:
        network: sizes.
        weights: of the terms.
        batch: boxes a step, of all ranks together.
        epochs: how often each box is shown.
        limit: the first images alone, in place of those of the whole recipe.
        rate: of AdamW; it falls to 0 in a straight line.
    """

    network: ContourSizes = field(default_factory=ContourSizes)
    weights: ContourWeights = field(default_factory=ContourWeights)
    batch: Count = 32
    epochs: Count = 2
    limit: Count | None = None
    rate: Rate = 1e-2


@dataclass(frozen=True, slots=True)
class ContourStage(TrainingRecipe):
    """The first stage's recipe as a whole; nothing of the later stages."""

    contour: ContourRecipe = field(default_factory=ContourRecipe)


class ContourTrainer:
    """See :class:`baselines.train.fitting.RivalTrainer`."""

    def __init__(self, recipe: ContourStage, device: torch.device, root: Path | None):
        self._recipe, self._device = recipe, device
        sizes = recipe.contour.network
        torch.manual_seed(recipe.seed)
        with building("cts_style.contour"):
            network = ContourNetwork(sizes)
            network(torch.zeros(1, 6, sizes.side, sizes.side))  # a window smaller than the dilation
        self.network: nn.Module = network.to(device).train()
        rate = recipe.contour.rate
        self.optimiser: torch.optim.Optimizer = torch.optim.AdamW(
            [{"params": list(network.parameters()), "initial_lr": rate}], rate, weight_decay=1e-4
        )
        self.metadata: Mapping[str, str] = {"config": json.dumps(asdict(sizes), sort_keys=True)}
        split = load_split(recipe.split, root)
        self._things = boxed_objects(split if recipe.limit is None else split.first_images(recipe.limit))
        self.an_epoch = max(1, len(self._things) // recipe.batch)
        self._windows = Ahead(self._window, 7 * len(self._things) * 4 * sizes.side**2)

    def start(self, step: int) -> list[Future[np.ndarray]]:
        """Begin to read the windows of a step."""
        epoch, place = divmod(step, self.an_epoch)
        batch = self._recipe.batch
        order = np.random.default_rng((self._recipe.seed, epoch)).permutation(len(self._things))
        chosen = np.resize(order[place * batch : (place + 1) * batch], batch)
        return self._windows.start(chosen[rank() :: world()].tolist())

    def _window(self, place: int) -> np.ndarray:
        """The network's input and, as a last channel, the box."""
        thing = self._things[place]
        image = read_image(thing.image_path, thing.size)
        shown, inside = contour_input(image, window_round(thing.box, thing.size), self._recipe.contour.network.side)
        return np.concatenate([shown, inside[None]])

    def losses(self, learner: Any, data: list[Future[np.ndarray]], step: int) -> tuple[dict[str, Tensor], int]:
        """Tightness and sparsity, and the number of boxes."""
        windows = torch.from_numpy(self._windows.take(data)).to(self._device)
        with autocast(self._recipe.precision, self._device):
            logits = learner(windows[:, :-1])
        return contour_losses(logits.float().sigmoid(), windows[:, -1] > 0, self._recipe.contour.weights), len(windows)

    def rate(self, step: int, total: int) -> float:
        """A straight line to 0."""
        return 1 - step / total

    def method(self, weights: Path) -> Any:
        """A contour network is no method: this stage is not scored."""
        raise NotImplementedError


def load_contour(path: Path) -> ContourNetwork:
    """A contour network in eval mode.

    Raises:
        DataError: the file is broken, or holds something else.
    """
    held = read(path)
    try:
        network = ContourNetwork(ContourSizes(**json.loads(held.metadata["config"])))
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path} is no contour network of cts_style; delete it and run --stage contour again") from None
    fill(network, held.state, f"{path} as the contour network")
    return network.eval().requires_grad_(False)
