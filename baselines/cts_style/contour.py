"""The contour map: a small network that sees a box with its surroundings, and learns from the box alone.

Two terms pull against each other. *Tightness*: an object touches the four sides of its box, so the map's largest value
in every row and every column is 1 within the box's rows and columns and 0 beyond them (the projections of BBTP, Hsu et
al. 2019, and BoxInst, Tian et al. 2021). *Sparsity*: all else is pushed down. What both leave is the object's outline.

The network is not shown where the box lies, and sees a few pixels round each pixel alone. Otherwise it would please
both terms with lines along the sides of the box, and never look at the object.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from tris_model.clip import DEVIATION, MEAN
from tris_model.ranges import Count, Rate

from .boxed import BoxWindow


@dataclass(frozen=True, slots=True)
class ContourWeights:
    """What the terms of the contour map's loss are multiplied by.

    Attributes:
        tightness: of the projections.
        sparsity: of the mean activation inside of the box.
        outside: of the mean activation outside of it.
    """

    tightness: Rate = 1.0
    sparsity: Rate = 0.1
    outside: Rate = 1.0


@dataclass(frozen=True, slots=True)
class ContourSizes:
    """The contour network.

    Attributes:
        side: of the square to which a window is brought, in pixels.
        width: channels.
        depth: convolutions of 3x3 between the first and the last; each one's dilation is twice the one before, from 1.
    """

    side: Count = 48
    width: Count = 16
    depth: Count = 3


WEIGHTS, SIZES = ContourWeights(), ContourSizes()


def contour_losses(maps: Tensor, inside: Tensor, weights: ContourWeights = WEIGHTS) -> dict[str, Tensor]:
    """Tightness and sparsity of maps.

    Args:
        maps: ``(B, h, w)`` in [0, 1].
        inside: bool ``(B, h, w)``: a box each, with at least one pixel.
        weights: of the terms.

    Returns:
        Scalars, means over the batch: ``tightness``, the sum over both axes of ``1 - 2 p·q / (p·p + q·q)`` for the
        projections p of the map and q of the box (their largest value along the other axis); ``sparsity``, the mean of
        the map inside; ``outside``, its mean outside (0 where the box covers all); and ``loss``, their weighted sum.
    """
    box = inside.to(maps.dtype)
    tightness = maps.new_zeros(len(maps))
    for axis in (1, 2):
        own, wanted = maps.amax(axis), box.amax(axis)
        overlap = 2 * (own * wanted).sum(1)
        tightness = tightness + 1 - overlap / ((own * own).sum(1) + (wanted * wanted).sum(1))
    within, beyond = box.sum((1, 2)), (1 - box).sum((1, 2))
    terms = {
        "tightness": tightness.mean(),
        "sparsity": ((maps * box).sum((1, 2)) / within).mean(),
        "outside": ((maps * (1 - box)).sum((1, 2)) / beyond.clamp(min=1)).mean(),
    }
    terms["loss"] = (
        weights.tightness * terms["tightness"]
        + weights.sparsity * terms["sparsity"]
        + weights.outside * terms["outside"]
    )
    return terms


class ContourNetwork(nn.Module):
    """Convolutions over a window. A pixel of the map depends on the ``2 ** (depth + 1) + 1`` pixels round it."""

    def __init__(self, sizes: ContourSizes = SIZES):
        super().__init__()
        self.sizes = sizes
        width = sizes.width
        layers: list[nn.Module] = [nn.Conv2d(6, width, 3, padding=1, padding_mode="reflect")]
        for place in range(sizes.depth):
            layers += [
                nn.ReLU(),
                nn.GroupNorm(1, width),
                nn.Conv2d(width, width, 3, padding=2**place, dilation=2**place, padding_mode="reflect"),
            ]
        self.layers = nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(width, 1, 1))

    def forward(self, windows: Tensor) -> Tensor:
        """``(B, 6, side, side)`` from :func:`contour_input` -> logits ``(B, side, side)``."""
        return self.layers(windows)[:, 0]


def contour_input(image: np.ndarray, window: BoxWindow, side: int) -> tuple[np.ndarray, np.ndarray]:
    """What the network sees of a window, brought to a square.

    Args:
        image: uint8 ``(H, W, 3)``.
        window: of it.
        side: of the square in pixels.

    Returns:
        float32 ``(6, side, side)``: colours normalised by ImageNet's mean and deviation, and their difference from the
        mean colour outside of the box; and where the box is, bool ``(side, side)``.
    """
    inside = cv2.resize(window.inside.view(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST).view(np.bool_)
    if not inside.any():  # a box of few pixels in a large window
        inside = cv2.resize(window.inside.view(np.uint8) * 255, (side, side), interpolation=cv2.INTER_AREA) > 0
    pixels = cv2.resize(window.of(image), (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    pixels = ((pixels - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)).transpose(2, 0, 1)
    outside = pixels[:, ~inside].mean(1) if not inside.all() else pixels.mean((1, 2))
    return np.concatenate([pixels, pixels - outside[:, None, None]]).astype(np.float32), inside


@torch.inference_mode()
def contour_maps(network: ContourNetwork, image: np.ndarray, windows: list[BoxWindow]) -> list[np.ndarray]:
    """The contour map of each window of an image: float32 ``(h, w)`` in [0, 1], 0 outside of the box."""
    if not windows:
        return []
    device = next(network.parameters()).device
    given = np.stack([contour_input(image, window, network.sizes.side)[0] for window in windows])
    maps = network(torch.from_numpy(given).to(device)).sigmoid().cpu().numpy()
    found = []
    for one, window in zip(maps, windows, strict=True):
        height, width = window.inside.shape
        found.append(cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) * window.inside)
    return found
