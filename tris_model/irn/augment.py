"""How an image and its sure labels vary in training: scale, mirror, crop. A draw is a function of its seed alone."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from risbench.errors import DataError

from .labels import UNSURE
from .masks import normalise
from .network import STRIDE


class Draw(NamedTuple):
    """One variation.

    Attributes:
        scale: of the image's sides.
        mirror: left and right swapped.
        place: where of the room there is, in [0, 1) down and right, the crop (or in it the image) lies.
    """

    scale: float = 1.0
    mirror: bool = False
    place: tuple[float, float] = (0.0, 0.0)


def draw(seed: tuple[int, ...], scales: tuple[float, float]) -> Draw:
    """A variation that any process, at any time, draws the same."""
    random = np.random.default_rng(seed)
    scale, mirror, down, right = random.random(4)
    return Draw(scales[0] + scale * (scales[1] - scales[0]), bool(mirror < 0.5), (down, right))


def vary(image: np.ndarray, labels: np.ndarray, how: Draw, crop: int) -> tuple[Tensor, Tensor]:
    """Make the input of training.

    Args:
        image: uint8 ``(H, W, 3)``.
        labels: uint8 ``(H, W)`` of 1, 0 and 255.
        how: the variation.
        crop: side of the square that comes out, a multiple of 4.

    Returns:
        float32 ``(3, crop, crop)``, normalised, the mean colour where the image does not reach; and uint8
        ``(crop / 4, crop / 4)``, unsure there.

    Raises:
        DataError: labels are not of the image's size.
    """
    if labels.shape != image.shape[:2]:
        raise DataError(f"labels are of the image's size {image.shape[:2]}, not {labels.shape}; write them again")
    if how.scale != 1:
        height, width = (max(1, round(side * how.scale)) for side in labels.shape)
        # Cubic and not smoothed, as the authors' skimage.
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    if how.mirror:
        image, labels = image[:, ::-1], labels[:, ::-1]
    pixels, known = torch.zeros(3, crop, crop), np.full((crop, crop), UNSURE, np.uint8)
    source, target = zip(
        *(_overlap(side, crop, at) for side, at in zip(labels.shape, how.place, strict=True)), strict=True
    )
    pixels[:, target[0], target[1]] = normalise(image[source[0], source[1]])
    known[target[0], target[1]] = labels[source[0], source[1]]
    half = STRIDE // 2  # the middle of each cell, as PIL reduces by the nearest
    return pixels, torch.from_numpy(known[half::STRIDE, half::STRIDE].copy())


def _overlap(side: int, crop: int, at: float) -> tuple[slice, slice]:
    """What of a side is taken, and where in the crop it lies."""
    start = int(at * (abs(side - crop) + 1))
    length = min(side, crop)
    inner, whole = slice(start, start + length), slice(0, length)
    return (inner, whole) if side >= crop else (whole, inner)
