"""Data augmentation of an image and its labels: scale, mirror, crop. It depends only on a seed."""

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
    """The random values of one augmentation.

    Attributes:
        scale: factor of the image's sides.
        mirror: whether left and right are swapped.
        place: position of the crop in the image, or of a smaller image in the crop: (down, right), each in [0, 1).
    """

    scale: float = 1.0
    mirror: bool = False
    place: tuple[float, float] = (0.0, 0.0)


def draw(seed: tuple[int, ...], scales: tuple[float, float]) -> Draw:
    """Draw an augmentation; the same seed always gives the same one."""
    random = np.random.default_rng(seed)
    scale, mirror, down, right = random.random(4)
    return Draw(scales[0] + scale * (scales[1] - scales[0]), bool(mirror < 0.5), (down, right))


def vary(image: np.ndarray, labels: np.ndarray, how: Draw, crop: int) -> tuple[Tensor, Tensor]:
    """Apply an augmentation.

    Args:
        image: uint8 ``(H, W, 3)``.
        labels: uint8 ``(H, W)``: 1 object, 0 background, 255 unsure.
        how: the augmentation.
        crop: side of the square crop in pixels, a multiple of 4.

    Returns:
        The image, float32 ``(3, crop, crop)``, normalised; the labels, uint8 ``(crop / 4, crop / 4)``. Outside the
        image they are the mean colour and unsure.

    Raises:
        DataError: the labels do not have the image's size.
    """
    if labels.shape != image.shape[:2]:
        raise DataError(f"labels must have the image's size {image.shape[:2]}, not {labels.shape}; write them again")
    if how.scale != 1:
        height, width = (max(1, round(side * how.scale)) for side in labels.shape)
        # Cubic interpolation without smoothing, as in the authors' skimage.
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
    """The part of a side that the crop takes, and its place in the crop."""
    start = int(at * (abs(side - crop) + 1))
    length = min(side, crop)
    inner, whole = slice(start, start + length), slice(0, length)
    return (inner, whole) if side >= crop else (whole, inner)
