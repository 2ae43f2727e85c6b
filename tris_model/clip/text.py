"""CLIP's text transformer: pre-norm blocks, QuickGELU, and a causal mask (a token attends only to earlier ones).

Because of the mask, tokens behind the end-of-text cannot change its feature, so TRIS may cut a batch of texts.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def drawn(*shape: int, deviation: float) -> Tensor:
    """Draw normal numbers of this deviation.

    On the meta device draw none, because there it imports torch's compiler.
    """
    table = torch.empty(shape)
    return table if table.is_meta else table.normal_(std=deviation)


class QuickGELU(nn.Module):
    """The activation ``x * sigmoid(1.702 x)`` that OpenAI trained with; the exact GELU gives other features."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return x * torch.sigmoid(1.702 * x)


class LayerNorm(nn.LayerNorm):
    """LayerNorm that always computes in float32, as OpenAI's does even in half precision."""

    def forward(self, input: Tensor) -> Tensor:
        """``(..., C)`` -> ``(..., C)`` in the input's dtype."""
        weight, bias = self.weight.float(), self.bias.float()
        return F.layer_norm(input.float(), self.normalized_shape, weight, bias, self.eps).to(input.dtype)


class CausalAttention(nn.Module):
    """Multi-head self-attention with the key names of ``nn.MultiheadAttention``, written out for readability."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.in_proj_weight = nn.Parameter(drawn(3 * width, width, deviation=width**-0.5))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        if width % heads:
            raise ValueError(f"{width} channels cannot be divided among {heads} heads")
        self.heads = heads

    def project(self, x: Tensor) -> Tensor:
        """``(N, L, C)`` -> queries, keys and values, ``(N, L, 3C)``."""
        return F.linear(x, self.in_proj_weight, self.in_proj_bias)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, L, C)`` -> ``(N, L, C)``; position i attends to 0..i."""
        q, k, v = self.project(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(out.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and a two-layer perceptron, each with a LayerNorm before it and a shortcut."""

    def __init__(self, width: int, heads: int, hidden: int | None = None):
        super().__init__()
        hidden = hidden or 4 * width
        self.attn = CausalAttention(width, heads)
        self.ln_1 = LayerNorm(width)
        parts = OrderedDict[str, nn.Module]()
        parts["c_fc"] = nn.Linear(width, hidden)
        parts["gelu"] = QuickGELU()
        parts["c_proj"] = nn.Linear(hidden, width)
        self.mlp = nn.Sequential(parts)
        self.ln_2 = LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, L, C)`` -> ``(N, L, C)``."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """The stack of blocks."""

    def __init__(self, width: int, depth: int, heads: int, hidden: int | None = None):
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(width, heads, hidden) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, L, C)`` -> ``(N, L, C)``."""
        return self.resblocks(x)
