"""TRIS's networks, while they are trained, on labelled masks that they have not learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from risbench.datasets.load import load_split
from risbench.results.run import Run
from risbench.running.evaluation import evaluate

from ..files.checkpoint import save
from ..network.stage1 import Stage1
from ..network.stage2 import Stage2
from .loop.best import Best, check_selection


def validate(weights: Path, split: str, out: Path, device: torch.device, data_root: Path | None = None) -> Run:
    """A run of these weights on a split, below ``out``."""
    from ..inference.predictor import Tris

    method = Tris(str(weights), device=str(device))
    return evaluate(method, load_split(split, data_root), out=out, name="tris", device=str(device))


def best_of(recipe: Any, network: Stage1 | Stage2, folder: Path, device: torch.device, data_root: Path | None) -> Best:
    """What keeps the weights of a stage that the recipe's ``select`` wants.

    Raises:
        UsageError: it looks at labels, and the recipe names no ``val``.
    """
    check_selection("recipe", recipe.select, recipe.val)
    return Best(
        recipe.select,
        folder,
        lambda path: save(network, path),
        lambda weights, out: validate(weights, str(recipe.val), out, device, data_root),
    )
