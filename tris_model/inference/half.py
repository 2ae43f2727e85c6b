"""The two towers in bfloat16, everything behind them in float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..clip.towers import Clip
from ..clip.trunk import Pyramid


class HalfClip(nn.Module):
    """A CLIP whose towers run under autocast; what they return is float32 again, so that heads lose nothing more."""

    def __init__(self, clip: Clip):
        super().__init__()
        self.clip = clip

    def see(self, images: Tensor) -> Pyramid:
        """As :meth:`~tris_model.clip.towers.Clip.see`."""
        with torch.autocast(images.device.type, torch.bfloat16):
            c1, c2, c3, c4 = self.clip.see(images)
        return c1.float(), c2.float(), c3.float(), c4.float()

    def read(self, tokens: Tensor) -> Tensor:
        """As :meth:`~tris_model.clip.towers.Clip.read`."""
        with torch.autocast(tokens.device.type, torch.bfloat16):
            return self.clip.read(tokens).float()

    def sum_up(self, tokens: Tensor) -> Tensor:
        """As :meth:`~tris_model.clip.towers.Clip.sum_up`."""
        with torch.autocast(tokens.device.type, torch.bfloat16):
            return self.clip.sum_up(tokens).float()
