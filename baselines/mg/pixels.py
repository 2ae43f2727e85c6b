"""An image as MG reads it."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor


def prepare(image: np.ndarray, size: int = 299) -> Tensor:
    """An image at the network's size.

    Args:
        image: uint8 ``(H, W, 3)``, red, green, blue.
        size: side of the square, in pixels.

    Returns:
        float32 ``(3, size, size)``, whole numbers from 0 to 255: OpenCV's bilinear resize, which squashes the image and
        rounds. The network itself subtracts the mean.
    """
    return torch.from_numpy(squashed(image, size)).permute(2, 0, 1).float()


def squashed(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 ``(H, W, 3)`` -> uint8 ``(size, size, 3)``."""
    return cv2.resize(np.ascontiguousarray(image), (size, size), interpolation=cv2.INTER_LINEAR)
