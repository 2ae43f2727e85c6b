"""Bfloat16 for what gains by it, with all that follows in float32.

On a GPU both towers gain. On a CPU with AMX or AVX512-BF16 the image trunk does; the text tower, a few tokens at a
time, is faster in float32.
"""

from __future__ import annotations

import time
from typing import Literal

import torch
from torch import Tensor, nn

from ..clip.towers import Clip
from ..clip.trunk import Pyramid, Trunk
from ..devices import Precision, has_bf16
from .fused import Kind, QuickTrunk, packs

GAIN = 1.2  # `auto` takes bfloat16 on a CPU if the trunk is at least so many times as fast


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


class HalfTrunk(nn.Module):
    """An image trunk in bfloat16 on a CPU; images and features are float32."""

    def __init__(self, trunk: nn.Module):
        super().__init__()
        self.packed = isinstance(trunk, Trunk)
        self.trunk = (
            QuickTrunk(trunk, Kind(packs(torch.bfloat16), torch.bfloat16)) if isinstance(trunk, Trunk) else trunk
        )

    def forward(self, images: Tensor) -> Pyramid:
        """Like :class:`~tris_model.clip.trunk.Trunk`."""
        if self.packed:
            c1, c2, c3, c4 = self.trunk(images.bfloat16())
        else:  # torchvision's network has no packed form here
            with torch.autocast(images.device.type, torch.bfloat16):
                c1, c2, c3, c4 = self.trunk(images)
        return c1.float(), c2.float(), c3.float(), c4.float()


def resolved(
    precision: Precision, trunk: nn.Module, size: int, device: torch.device
) -> Literal["float32", "tf32", "bf16"]:
    """The precision that ``auto`` means for this trunk on this device; others mean themselves.

    On a GPU it is bf16 if the GPU has it. On a CPU it is bf16 if the processor has instructions for it and computes
    this trunk faster with them, which is tried on one image; else float32.

    Args:
        precision: as the user gave it.
        trunk: in float32, not fused yet; it is not changed.
        size: side of the network's input.
        device: where the trunk is.
    """
    if precision != "auto":
        return precision
    if device.type == "cpu" and not (isinstance(trunk, Trunk) and packs(torch.bfloat16)):
        return "float32"
    if not has_bf16(device):
        return "float32"
    if device.type == "cpu" and isinstance(trunk, Trunk):
        image = torch.linspace(-2, 2, 3 * size * size).view(1, 3, size, size)
        exact = _seconds(QuickTrunk(trunk, Kind(packs())), image)
        return "bf16" if GAIN * _seconds(HalfTrunk(trunk), image) <= exact else "float32"
    return "bf16"


@torch.inference_mode()
def _seconds(trunk: nn.Module, image: Tensor) -> float:
    """The faster of two passes, after one that packs the weights."""
    trunk(image)
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        trunk(image)
        taken.append(time.perf_counter() - start)
    return min(taken)
