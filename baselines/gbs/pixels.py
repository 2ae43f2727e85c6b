"""Images as GbS's network gets them, and the heat that is made of its two maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from risbench import DataError

# Of blue, green and red, in this order: ImageNet's, for images as OpenCV reads them.
MEAN = (0.406, 0.456, 0.485)
DEVIATION = (0.225, 0.224, 0.229)
LONGEST = 4  # times the shorter side
BORDER = (4, 3)


def prepare(image: np.ndarray, size: int = 512, *, square: bool = False, smallest: int = 32) -> Tensor:
    """An image as the network gets it.

    Args:
        image: uint8 ``(H, W, 3)``, RGB.
        size: the shorter side in pixels. The proportions are kept, the longer side is rounded down, and nothing is
            padded. A longer side of more than four times ``size`` becomes that, and the shorter one less: ours, since
            the trunk's memory has an end.
        square: make both sides ``size``, as the authors do in batches of several images.
        smallest: no side is shorter.

    Returns:
        float32 ``(3, H', W')``: blue, green and red, by ImageNet's mean and deviation. Resized by PIL's bilinear
        filter, with anti-aliasing.

    Raises:
        DataError: the image has another shape or type, or no pixel.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        kind = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise DataError(f"an image must be a uint8 array (H, W, 3) in RGB, not {kind}")
    if 0 in image.shape:
        raise DataError(f"an image of {image.shape[0]} x {image.shape[1]} pixels is empty")
    height, width = (size, size) if square else _kept(image.shape[0], image.shape[1], size)
    height, width = max(height, smallest), max(width, smallest)
    if (height, width) != image.shape[:2]:
        picture = Image.fromarray(np.ascontiguousarray(image))
        image = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
    return normalised(torch.from_numpy(np.array(image)[None]))[0]


def _kept(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width whose shorter one is ``size``; whole numbers decide, as in torchvision."""
    short, long = min(height, width), max(height, width)
    too_long = long > LONGEST * short
    sides = (LONGEST * size * short // long, LONGEST * size) if too_long else (size, size * long // short)
    return sides if height <= width else (sides[1], sides[0])


def normalised(images: Tensor) -> Tensor:
    """uint8 ``(B, H, W, 3)``, RGB -> float32 ``(B, 3, H, W)``, BGR."""
    pixels = images.permute(0, 3, 1, 2).flip(1).float().div_(255)
    mean, deviation = (torch.tensor(numbers, device=images.device)[:, None, None] for numbers in (MEAN, DEVIATION))
    return pixels.sub_(mean).div_(deviation).contiguous()


def fuse(map: Any, words_map: Any = None, *, border: tuple[int, int] = BORDER) -> Tensor:
    """The heat that the authors evaluate: the root of the product of both maps, 0 at the border.

    Args:
        map: of separation, raw, ``(h, w)`` or ``(N, h, w)``; cut to [0, 1] here.
        words_map: of words, ``(32, 32)`` or ``(N, 32, 32)``, brought to ``(h, w)`` by nearest neighbours; None where
            that branch was not trained: then the heat is the first map.
        border: how many of the first and of the last rows and columns are 0. Where a side has no more cells than
            these, which the authors' images never have, its cells are kept.

    Returns:
        float32 ``(h, w)`` or ``(N, h, w)`` in [0, 1].
    """
    heat = torch.as_tensor(map).float().clamp(0, 1)
    if words_map is not None:
        words = torch.as_tensor(words_map).float().clamp(0, 1)
        stacked = words.reshape(-1, 1, *words.shape[-2:])
        words = F.interpolate(stacked, size=heat.shape[-2:], mode="nearest").reshape(
            *words.shape[:-2], *heat.shape[-2:]
        )
        heat = torch.sqrt(heat * words)
    inside = torch.ones_like(heat)
    first, last = border
    for axis in (-2, -1):
        cells = heat.shape[axis]
        if cells > first + last:
            inside.narrow(axis, 0, first).zero_()
            inside.narrow(axis, cells - last, last).zero_()
    return heat * inside
