"""Words enter the image: the pixel-word attention module (PWAM, section 3.2) and the language gate (section 3.3)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Pointwise(nn.Conv1d):
    """A convolution of size 1 over tokens that stand in rows: ``(B, L, C)`` -> ``(B, L, D)``."""

    def __init__(self, channels: int, out: int):
        super().__init__(channels, out, 1)

    def forward(self, input: Tensor) -> Tensor:
        """The same as the convolution, without exchanging the axes."""
        return F.linear(input, self.weight[:, :, 0], self.bias)


class PixelWordAttention(nn.Module):
    """PWAM: every pixel collects the words that concern it, and is multiplied by what it collected."""

    def __init__(self, width: int, text_width: int, heads: int):
        super().__init__()
        self.vis_project = nn.Sequential(Pointwise(width, width), nn.GELU())
        self.image_lang_att = WordsOfPixels(width, text_width, heads)
        self.project_mm = nn.Sequential(Pointwise(width, width), nn.GELU())

    def forward(self, pixels: Tensor, words: Tensor, token_mask: Tensor) -> Tensor:
        """Fuse (equations 4 and 5).

        Args:
            pixels: ``(B, L, C)``.
            words: ``(B, T, D)``.
            token_mask: ``(B, T)``, 1 on words and 0 on padding.

        Returns:
            ``(B, L, C)``.
        """
        return self.project_mm(self.vis_project(pixels) * self.image_lang_att(pixels, words, token_mask))


class WordsOfPixels(nn.Module):
    """Attention from pixels to words (equations 1 to 3); the instance norms have no weights."""

    def __init__(self, width: int, text_width: int, heads: int):
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} channels do not fall into {heads} heads")
        self.heads = heads
        # Sequences of one: the published files count the layers inside.
        self.f_key = nn.Sequential(Pointwise(text_width, width))
        self.f_query = nn.Sequential(Pointwise(width, width))
        self.f_value = nn.Sequential(Pointwise(text_width, width))
        self.W = nn.Sequential(Pointwise(width, width))

    def forward(self, pixels: Tensor, words: Tensor, token_mask: Tensor) -> Tensor:
        """As :meth:`PixelWordAttention.forward`."""
        known = token_mask.to(words.dtype)
        query = self._split(instance_norm(self.f_query(pixels)))
        key, value = (self._split(layer(words) * known[:, :, None]) for layer in (self.f_key, self.f_value))
        # The scale is that of the whole width, also with several heads.
        scores = query @ key.transpose(2, 3) * pixels.shape[2] ** -0.5 + (1e4 * known - 1e4)[:, None, None, :]
        collected = (scores.softmax(3).to(value.dtype) @ value).transpose(1, 2).flatten(2)
        return instance_norm(self.W(collected))

    def _split(self, x: Tensor) -> Tensor:
        """``(B, L, C)`` -> ``(B, heads, L, C / heads)``."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class LanguageGate(nn.Sequential):
    """How much of each channel of the fused map goes on to the next stage: from -1 to 1 (equation 6)."""

    def __init__(self, width: int):
        super().__init__(nn.Linear(width, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False), nn.Tanh())


def instance_norm(x: Tensor) -> Tensor:
    """``(B, L, C)``, every channel with mean 0 and variance 1 over an image's own pixels."""
    return F.instance_norm(x.transpose(1, 2)).transpose(1, 2)
