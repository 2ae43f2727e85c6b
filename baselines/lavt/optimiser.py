"""What learns, and AdamW in the authors' four groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import nn

from .network import Lavt

TEN = 10  # layers of BERT that learn; the authors' program leaves out the last two


def freeze(network: Lavt, bert_learns: Literal["ten", "all"]) -> None:
    """Let go of what never learns: the last stage's gate, whose result nothing reads, and the rest of BERT."""
    last = len(network.backbone.layers) - 1
    for name, weight in network.named_parameters():
        gate = name.startswith(f"backbone.layers.{last}.res_gate.")
        rest = name.startswith("text_encoder.") and bert_learns == "ten" and _layer(name) not in range(TEN)
        weight.requires_grad_(not (gate or rest))


def adamw(
    network: Lavt, lr: float, weight_decay: float, *, bert_lr: float | None = None, fused: bool = False
) -> torch.optim.AdamW:
    """AdamW over what learns; each group remembers its rate as ``initial_lr``.

    The groups, in the authors' order: the backbone's norms and tables of biases, without weight decay; all else of
    the backbone; the decoder; BERT.
    """
    groups: list[list[nn.Parameter]] = [[], [], [], []]
    for number, weight in _grouped(network):
        groups[number].append(weight)
    decays = (0.0, weight_decay, weight_decay, weight_decay)
    rates = (lr, lr, lr, lr if bert_lr is None else bert_lr)
    return torch.optim.AdamW(
        [
            {"params": weights, "lr": rate, "initial_lr": rate, "weight_decay": decay}
            for weights, rate, decay in zip(groups, rates, decays, strict=True)
            if weights
        ],
        betas=(0.9, 0.999),
        eps=1e-8,
        fused=fused,
    )


def _grouped(network: Lavt) -> Iterator[tuple[int, nn.Parameter]]:
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            undecayed = "norm" in name or "relative_position_bias_table" in name
            part = name.partition(".")[0]
            yield {"backbone": 0 if undecayed else 1, "classifier": 2, "text_encoder": 3}[part], weight


def _layer(name: str) -> int:
    """The layer of BERT that a parameter belongs to; -1 for the embeddings."""
    parts = name.split(".")
    return int(parts[3]) if parts[1] == "encoder" else -1
