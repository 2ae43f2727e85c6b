"""Samples made up for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from risbench import Box, Sample
from risbench.masks import box_of, encode


def sample_of(
    *masks: np.ndarray,
    xywh: tuple[float, float, float, float] | None = None,
    split: str = "refcoco_val",
    ref: int = 1,
    sentence: int = 1,
    image: int = 1,
    text: str = "the thing",
) -> Sample:
    """A sample whose parts are the masks; its box is given, or the first mask's."""
    x, y, width, height = xywh or (0, 0, 0, 0)
    box = Box(x, y, x + width, y + height) if xywh else box_of(masks[0])
    size = masks[0].shape
    parts = tuple(encode(mask) for mask in masks)
    name = f"{split}/{ref}/{sentence}"
    return Sample(name, image, ref, sentence, Path("none.jpg"), (size[0], size[1]), text, box, parts, "thing")


def block(size: tuple[int, int], y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
    """A filled rectangle."""
    mask = np.zeros(size, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def blobs(generator: np.random.Generator, size: tuple[int, int], share: float = 0.3, smooth: float = 5.0) -> np.ndarray:
    """A mask of smooth blobs that covers about a share of the picture."""
    import cv2

    field = cv2.GaussianBlur(generator.standard_normal(size).astype(np.float32), (0, 0), smooth)
    return field > np.quantile(field, 1 - share)


def rough_ellipse(generator: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A mask like a method's: a rough ellipse and specks; at 480x640 800 runs and four contours."""
    import cv2

    noise = cv2.GaussianBlur(generator.standard_normal(size).astype(np.float32), (0, 0), 8)
    row, column = np.indices(size)
    tall, broad = size[0] / 480, size[1] / 640
    y, x, high, wide = generator.uniform((100, 100, 40, 40), (380, 540, 180, 240))
    far = ((column - x * broad) / (wide * broad)) ** 2 + ((row - y * tall) / (high * tall)) ** 2
    return 1 - far + 0.2 * noise / noise.std() > 0
