"""Stop a training when its numbers are no longer finite. Files that it wrote before stay unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor

from risbench.errors import DataError


def clipped(weights: Iterable[Tensor], most: float) -> float:
    """Clip the gradients to the norm ``most`` (0 for no clipping), and return their norm before."""
    return float(torch.nn.utils.clip_grad_norm_(weights, most or inf))


def check_loss(title: str, step: int, total: int, loss: float, norm: float, optimiser: torch.optim.Optimizer) -> None:
    """Refuse a step before it changes the weights. All ranks must pass the same numbers.

    Args:
        title: the training's name, for the message.
        step: number of the step, from 0.
        total: number of all steps.
        loss: the loss of this step.
        norm: the norm of its gradient.
        optimiser: its learning rates are named in the message.

    Raises:
        DataError: the loss or the gradient is not finite.
    """
    if not isfinite(loss):
        raise DataError(_stopped(title, f"the loss is no longer finite ({loss:g})", step, total, optimiser))
    if not isfinite(norm):
        raise DataError(_stopped(title, f"the gradient is no longer finite ({norm:g})", step, total, optimiser))


def check_weights(
    title: str, step: int, total: int, weights: Iterable[Tensor], optimiser: torch.optim.Optimizer
) -> None:
    """Refuse weights before they are saved.

    Raises:
        DataError: a weight is not finite.
    """
    finite = [torch.isfinite(weight).all() for weight in weights if weight.is_floating_point()]
    if not bool(torch.stack(finite).all()):
        raise DataError(_stopped(title, "a weight is no longer finite", step, total, optimiser))


def _stopped(title: str, fault: str, step: int, total: int, optimiser: Any) -> str:
    rates = ", ".join(f"{rate:g}" for rate in sorted({group["lr"] for group in optimiser.param_groups}))
    return (
        f"{title}: {fault} at step {step + 1} of {total}, where the learning rates are {rates}; nothing of this step "
        "is kept. Lower the recipe's rates or clip its gradients, and give another --out or --overwrite"
    )
