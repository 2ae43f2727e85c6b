"""Validate TRIS's networks during training, on masks that are not used for training."""

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
    """Run these weights on a split; the run folder is below ``out``."""
    from ..inference.predictor import Tris

    method = Tris(str(weights), device=str(device))
    found = load_split(split, data_root)
    # The training shows a bar of its own.
    return evaluate(method, found, out=out, name="tris", device=str(device), progress=False)


def best_of(recipe: Any, network: Stage1 | Stage2, folder: Path, device: torch.device, data_root: Path | None) -> Best:
    """The :class:`Best` that keeps the weights of a stage by the recipe's ``select``.

    Raises:
        UsageError: ``select`` needs ``val``, and the recipe does not set it.
    """
    check_selection("recipe", recipe.select, recipe.val)
    return Best(
        recipe.select,
        folder,
        lambda path: save(network, path),
        lambda weights, out: validate(weights, str(recipe.val), out, device, data_root),
    )
