"""The training input of IRN: images and confident labels, with a new augmentation in each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..processes import beginning
from .augment import Draw, draw, vary
from .items import Item
from .labels import read_labels
from .recipe import Recipe


class Labelled(Protocol):
    """Items with their confident labels, in a fixed order."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The image, uint8 ``(H, W, 3)``, and its labels, uint8 ``(H, W)``."""
        ...


class LabelFolder:
    """Items with the labels that :func:`~tris_model.irn.labels.write_labels` wrote."""

    def __init__(self, items: Sequence[Item], folder: Path):
        self.items = items
        self.folder = folder

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`Labelled`."""
        item = self.items[index]
        return item.image(), read_labels(self.folder, item.name)


def batches(
    data: Labelled, recipe: Recipe, done: int, workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of all steps from step ``done`` on: ``(B, 3, crop, crop)`` and ``(B, crop / 4, crop / 4)``."""
    size = min(recipe.batch, len(data))
    wanted: list[list[tuple[int, int]]] = []
    for epoch in range(recipe.epochs):
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(data)).tolist()
        wanted += [[(epoch, index) for index in order[at : at + size]] for at in range(0, len(data) - size + 1, size)]
    yield from loaded(data, recipe, wanted[done:], workers, device)


def loaded(
    data: Labelled, recipe: Recipe, wanted: list[list[tuple[int, int]]], workers: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches for lists of (epoch, index), on the device; epoch -1 means without augmentation."""
    fast = device.type == "cuda"
    loader: Any = DataLoader(
        _Varied(data, recipe), batch_sampler=wanted, num_workers=workers, pin_memory=fast,  # pyright: ignore
        multiprocessing_context=beginning() if workers else None,
    )  # fmt: skip
    for images, labels in loader:
        yield images.to(device, non_blocking=fast), labels.to(device, non_blocking=fast)


class _Varied:
    """Training input by (epoch, index); epoch -1 means without augmentation."""

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
