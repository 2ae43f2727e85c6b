"""Preprocess images as the authors do: resize to a square, normalise by ImageNet's mean and deviation (not CLIP's)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from risbench.errors import DataError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def preprocess(image: np.ndarray | Image.Image, size: int = 320) -> Tensor:
    """Resize with PIL's bilinear filter (anti-aliased, aspect not kept) and normalise.

    Args:
        image: uint8 ``(H, W, 3)`` RGB, or a PIL image of any mode.
        size: side of the square in pixels.

    Returns:
        float32 ``(3, size, size)`` on the CPU.

    Raises:
        DataError: the array has another shape or dtype.
    """
    import torch

    if not isinstance(image, Image.Image):
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            kind = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise DataError(f"an image must be a uint8 array (H, W, 3) in RGB or a PIL image, not {kind}")
        if 0 in image.shape:
            raise DataError(f"an image of {image.shape[0]} x {image.shape[1]} pixels is empty")
        image = Image.fromarray(np.ascontiguousarray(image))
    squashed = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(squashed)).permute(2, 0, 1).contiguous().float().div_(255)
    return pixels.sub_(torch.tensor(MEAN)[:, None, None]).div_(torch.tensor(DEVIATION)[:, None, None])


def squash(image: np.ndarray, size: int) -> np.ndarray:
    """Only the resizing of :func:`preprocess`, without normalising: uint8 ``(H, W, 3)`` -> ``(size, size, 3)``."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def normalised(images: np.ndarray, device: torch.device) -> Tensor:
    """Normalise images that are already resized: uint8 ``(B, S, S, 3)`` -> float32 ``(B, 3, S, S)``."""
    import torch

    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float().div_(255)
    mean, deviation = (torch.tensor(numbers, device=device)[:, None, None] for numbers in (MEAN, DEVIATION))
    return pixels.sub_(mean).div_(deviation).contiguous()
