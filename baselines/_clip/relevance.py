"""The relevance of each patch for CLIP's answer, read from the last attention of its image transformer.

Generic attention explainability (Chefer et al., ICCV 2021) on the last block alone, as WWbL uses it: attention times
its gradient, the positive part, the mean over heads, and of that the class token's row. Only that row of the attention
reaches the answer, so only it is computed and differentiated.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize


class Relevance:
    """The last attention of an image transformer, seen from the class token."""

    def __init__(self, visual: Any):
        self._visual = visual

    def __call__(self, pixels: Tensor, text_features: Tensor) -> Tensor:
        """The relevance of every patch for a text.

        Args:
            pixels: ``(B, 3, H, W)``; N is a multiple of B, and each image's texts stand in a row.
            text_features: ``(N, D)``, unit length.

        Returns:
            ``(N, h, w)``, not negative. A constant factor of the answer (CLIP's temperature) is left out.
        """
        visual, block = self._visual, self._visual.blocks[-1]
        with torch.no_grad():
            tokens = visual.before_last(pixels)
            queries, keys, values = block.attn.split(block.ln_1(tokens))  # (B, heads, L, C / heads)
            row = (queries[:, :, :1] @ keys.transpose(2, 3) * queries.shape[3] ** -0.5).softmax(3)  # (B, heads, 1, L)
        copies = len(text_features) // len(pixels)
        row, values, before = (part.repeat_interleave(copies, 0) for part in (row, values, tokens[:, 0]))
        with torch.enable_grad():
            rows = row.clone().requires_grad_()  # of every text: all gradients in one pass
            first = before + block.attn.out_proj((rows @ values)[:, :, 0].flatten(1))
            first = first + block.mlp(block.ln_2(first))
            cosines = (normalize(visual.summary(first), dim=1) * text_features).sum(1)
            (gradient,) = torch.autograd.grad(cosines.sum(), rows)
        grid = [side // visual.patch for side in pixels.shape[2:]]
        return (gradient * row).relu().mean(1)[:, 0, 1:].unflatten(1, grid)
