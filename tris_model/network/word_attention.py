"""Pixel-word attention, as in LAVT: every cell of a feature map attends to the words of the text.

The map has C channels and P = h * w cells; the L words have D channels:
    A = softmax over words of norm(Wq V)^T (Wk L) / sqrt(C),  G = A (Wv L),
    out = ReLU(Wo(ReLU(Wm V) * norm(Ww G))).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Queries(NamedTuple):
    """The text-independent part of the attention: queries ``(B, C, P)`` and gates ``(B, C, h, w)``."""

    query: Tensor
    gate: Tensor


class WordAttention(nn.Module):
    """One attention module; stage 2 has three, at c2, c3 and c4.

    Padding tokens are not masked, as in the authors' code.
    """

    def __init__(self, channels: int, words: int):
        super().__init__()
        self.Wk = nn.Conv1d(words, channels, 1)
        self.Wv = nn.Conv1d(words, channels, 1)
        self.Wq = nn.Conv2d(channels, channels, 1)
        self.Wm = nn.Conv2d(channels, channels, 1)
        self.Ww = nn.Conv2d(channels, channels, 1)
        self.Wo = nn.Conv2d(channels, channels, 1)
        self.ins_q = nn.InstanceNorm2d(channels, affine=True)
        self.ins_w = nn.InstanceNorm2d(channels, affine=True)
        self.scale = channels**-0.5

    def project(self, feature: Tensor) -> Queries:
        """``(B, C, h, w)`` -> the text-independent part."""
        return Queries(self.ins_q(self.Wq(feature)).flatten(2), F.relu(self.Wm(feature)))

    def attend(self, queries: Queries, words: Tensor) -> Tensor:
        """Attend to the words.

        ``Ww`` is applied to the L words instead of the P cells. This gives the same result, because the attention's
        rows sum to 1, and there are far fewer words than cells.

        Args:
            queries: of B maps, from :meth:`project`.
            words: ``(B, L, D)``.

        Returns:
            ``(B, C, h, w)``; the caller adds it to the feature map.
        """
        words = words.transpose(1, 2)  # (B, D, L)
        towards = torch.softmax(queries.query.transpose(1, 2) @ self.Wk(words) * self.scale, dim=-1)  # (B, P, L)
        values = self.Ww(self.Wv(words)[..., None])[..., 0]  # (B, C, L)
        gathered = (values @ towards.transpose(1, 2)).reshape(queries.gate.shape)
        return F.relu(self.Wo(queries.gate * self.ins_w(gathered)))

    def forward(self, feature: Tensor, words: Tensor) -> Tensor:
        """``(B, C, h, w)``, ``(B, L, D)`` -> ``(B, C, h, w)``."""
        return self.attend(self.project(feature), words)
