"""Run the two towers in bfloat16 and everything after them in float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..clip.towers import Clip
from ..clip.trunk import Pyramid


class HalfClip(nn.Module):
    """A CLIP whose towers run under autocast; their outputs are float32, so that heads lose no further precision."""

    def __init__(self, clip: Clip):
        super().__init__()
        self.clip = clip

    def encode_pyramid(self, images: Tensor) -> Pyramid:
        """Like :meth:`~tris_model.clip.towers.Clip.encode_pyramid`."""
        with torch.autocast(images.device.type, torch.bfloat16):
            c1, c2, c3, c4 = self.clip.encode_pyramid(images)
        return c1.float(), c2.float(), c3.float(), c4.float()

    def encode_words(self, tokens: Tensor) -> Tensor:
        """Like :meth:`~tris_model.clip.towers.Clip.encode_words`."""
        with torch.autocast(tokens.device.type, torch.bfloat16):
            return self.clip.encode_words(tokens).float()

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Like :meth:`~tris_model.clip.towers.Clip.encode_text`."""
        with torch.autocast(tokens.device.type, torch.bfloat16):
            return self.clip.encode_text(tokens).float()
