"""Rows of tokens, and how many of them go through a module."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class Count:
    """How many rows went through a module."""

    def __init__(self, module: nn.Module):
        self.rows = 0
        self.calls = 0
        module.register_forward_hook(self._see)

    def _see(self, _module: nn.Module, inputs: tuple[Tensor, ...], _output: object) -> None:
        self.rows += len(inputs[0])
        self.calls += 1


def texts(count: int, seed: int = 0) -> Tensor:
    """Token rows of 0 to 18 tokens between start and end."""
    draw = np.random.default_rng(seed)
    rows = torch.zeros(count, 20, dtype=torch.int64)
    for row in rows:
        length = int(draw.integers(0, 19))
        row[0], row[1 + length] = 49406, 49407
        row[1 : 1 + length] = torch.from_numpy(draw.integers(1, 49405, length))
    return rows
