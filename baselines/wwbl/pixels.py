"""Images as WWbL's network gets them: squashed to a square, mean and deviation 0.5."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

MEAN = DEVIATION = 0.5


def normalised(images: Tensor) -> Tensor:
    """uint8 ``(B, S, S, 3)`` -> float32 ``(B, 3, S, S)``."""
    return images.permute(0, 3, 1, 2).float().div_(255).sub_(MEAN).div_(DEVIATION).contiguous()


def squashed(image: np.ndarray, side: int) -> Tensor:
    """An image, uint8 ``(H, W, 3)``, resized with PIL's bilinear filter: float32 ``(1, 3, side, side)``."""
    resized = Image.fromarray(np.ascontiguousarray(image)).resize((side, side), Image.Resampling.BILINEAR)
    return normalised(torch.from_numpy(np.array(resized))[None])
