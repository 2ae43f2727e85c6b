"""AdamW in the authors' groups, and its schedules."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ...ranges import Rate


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rates of stage 1 and stage 2.

    Attributes:
        heads: of the new layers.
        backbone: of CLIP's towers.
        temperature: of stage 1's ``logit_scale``; 0 keeps it fixed (the authors' parameter groups omit it).
        positions: of the backbone's two position embeddings; the authors' stage 2 trains them at the heads' rate.
        weight_decay: of all parameters.
        power: exponent of the polynomial decay.
    """

    heads: Rate = 5e-5
    backbone: Rate = 5e-6
    temperature: Rate = 0.0
    positions: Rate | None = None
    weight_decay: Rate = 1e-2
    power: Rate = 0.9


def freeze_unused(network: nn.Module, temperature: bool) -> None:
    """Freeze parameters without a gradient: the attention pool, CLIP's own temperature, and perhaps stage 1's.

    The authors' AdamW skips them because they have no gradient, but DistributedDataParallel requires freezing them.
    """
    for name, weight in network.named_parameters():
        unused = "attnpool" in name or name == "backbone.logit_scale" or (name == "logit_scale" and not temperature)
        # Stage 2 uses token features, so the projection of a text's feature is unused there.
        unused = unused or (name == "backbone.text_projection" and not hasattr(network, "lan_project"))
        weight.requires_grad_(not unused)


def adamw(network: nn.Module, rates: Rates, *, fused: bool = False) -> torch.optim.AdamW:
    """The optimiser of stage 1 or 2; each group stores its initial rate as ``initial_lr``."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        if not weight.requires_grad:
            continue
        rate = rates.heads
        if name == "logit_scale":
            rate = rates.temperature
        elif name.startswith("backbone."):
            positions = "positional_embedding" in name and rates.positions is not None
            rate = rates.positions if positions and rates.positions is not None else rates.backbone
        groups.setdefault(rate, []).append(weight)
    return torch.optim.AdamW(
        [{"params": weights, "lr": rate, "initial_lr": rate} for rate, weights in groups.items()],
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=rates.weight_decay,
        fused=fused,
    )


def decay(optimiser: torch.optim.Optimizer, done: int, total: int, power: float) -> float:
    """Set every group's rate to ``(1 - done / total) ** power`` times its initial rate; return this factor."""
    factor = max(0.0, 1 - done / total) ** power
    for group in optimiser.param_groups:
        group["lr"] = group["initial_lr"] * factor
    return factor
