"""How two images are blended: alpha maps of Perlin noise and of Gaussians, by the authors' generator.

The same two images always get the same alpha, because the numbers of the first pair seed NumPy's ``RandomState``. What
is drawn, and in which order, is the authors': the first half of a batch is Perlin's, the rest Gaussian.

Perlin noise is after Perlin (SIGGRAPH 2002): a gradient at each corner of a coarse grid, and between them a quintic
fade. A random slope stretches it to [0, 1]: gently, or until hardly anything lies between 0 and 1, or upside down.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from risbench import DataError

PERLIN_SHARE = 0.5
MOST_LAYERS = 2  # of noise, whose product is the alpha; also the finest grid
STEEPEST = 100.0
SMALLEST = 1e-7
SMALLEST_SIDE = 8


def alphas(
    first_id: int | str, second_id: int | str, masks: Any, *, counts: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The alpha maps of a batch.

    Args:
        first_id: the number of the first pair's first image, an integer or its digits.
        second_id: of the first pair's second image.
        masks: where both images of a pair are, 0 or 1, ``(B, H, W)``, an array or a tensor; 8 pixels a side or more.
        counts: how many pairs are blended by Perlin noise, and how many by Gaussians; by default half each, half of an
            odd number being rounded to the even neighbour.

    Returns:
        ``alpha``, by which a pair is blended as ``alpha * first + (1 - alpha) * second``, and what the network learns
        to find of the first and of the second image, all float32 ``(B, 1, H, W)`` in [0, 1]. For Perlin noise the
        last two are ``alpha`` and ``1 - alpha``. For Gaussians they are two that were drawn apart and need not sum to
        1, and ``alpha`` is the first one's share of their sum.

    Raises:
        DataError: no pairs, too small a side, an empty mask, or numbers of images that are none.
    """
    rows = np.asarray(masks.detach().cpu() if isinstance(masks, Tensor) else masks)
    if rows.ndim != 3 or 0 in rows.shape or min(rows.shape[1:]) < SMALLEST_SIDE:
        raise DataError(f"masks are (B, H, W) with sides of {SMALLEST_SIDE} or more pixels, not {rows.shape}")
    count, height, width = rows.shape
    draw = np.random.RandomState(_seed(first_id, second_id))
    perlin, gaussian = kinds(count) if counts is None else counts
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    if perlin:
        alpha = torch.from_numpy(_perlin(rows[:perlin], draw))
        found.append((alpha, alpha, 1 - alpha))
    if gaussian:
        first, second = (_gaussians(gaussian, height, width, draw) for _ in range(2))
        found.append((first / (first + second + SMALLEST), first, second))
    alpha, first, second = (torch.cat(parts)[:, None] for parts in zip(*found, strict=True))
    return alpha, first, second


def kinds(count: int, rank: int = 0, world: int = 1) -> tuple[int, int]:
    """How many of a rank's pairs are blended by Perlin noise, and how many by Gaussians.

    Args:
        count: pairs of this rank.
        rank, world: the number of this process, and of all. The first half of all ranks' pairs is Perlin's.
    """
    perlin = round(PERLIN_SHARE * count * world)  # Python too rounds a half to the even number
    own = min(max(perlin - rank * count, 0), count)
    return own, count - own


def _seed(first: int | str, second: int | str) -> np.uint32:
    try:
        numbers = [int(one) for one in (first, second)]
    except (TypeError, ValueError):
        raise DataError(
            f"images are numbered for their alphas, but these are {first!r:.40} and {second!r:.40}"
        ) from None
    return np.uint32(sum(numbers) % 2**32)


def _perlin(masks: np.ndarray, draw: np.random.RandomState) -> np.ndarray:
    """Float32 ``(B, H, W)``: noise within the box round each mask, and 0 outside of it."""
    grids = 1 + draw.choice(np.arange(MOST_LAYERS), draw.randint(1, MOST_LAYERS + 1))
    found = np.zeros(masks.shape, np.float32)
    for mask, alpha in zip(masks, found, strict=True):
        inside = np.nonzero(mask)
        if not len(inside[0]):
            raise DataError("a mask is empty: there is nothing to blend where no pixel is of both images")
        (y0, x0), (y1, x1) = (tuple(int(edge(axis)) for axis in inside) for edge in (np.min, np.max))
        shape = (y1 + 1 - y0, x1 + 1 - x0)
        slope = draw.randn() / 10
        product: np.ndarray | float = 1.0
        for grid in grids:
            product = product * _spread(_stretched(perlin_noise(shape, int(grid), draw), slope)).clip(0, 1)
        alpha[y0 : y1 + 1, x0 : x1 + 1] = product
    return found


def perlin_noise(shape: tuple[int, int], grid: int, draw: np.random.RandomState) -> np.ndarray:
    """Perlin noise, float64 ``(H, W)``, about -1 to 1.

    Args:
        shape: ``(H, W)``.
        grid: cells along each side; a gradient is drawn at each of their corners.
        draw: the random generator.
    """
    angles = 2 * np.pi * draw.rand(grid + 1, grid + 1)
    gradients = np.dstack([np.cos(angles), np.sin(angles)])
    places = np.mgrid[0 : shape[0], 0 : shape[1]].transpose(1, 2, 0) / shape * grid % 1  # within a cell
    y, x = places[..., 0], places[..., 1]
    fade_y, fade_x = (6 * t**5 - 15 * t**4 + 10 * t**3 for t in (y, x))

    def corner(down: int, right: int) -> np.ndarray:
        """What the gradient at a corner of each pixel's cell contributes to the pixel."""
        own = gradients[down : grid + down, right : grid + right]
        # OpenCV decides to which cell a pixel on the line between two belongs, as it does in the authors' generator.
        own = cv2.resize(own, dsize=shape[::-1], interpolation=cv2.INTER_NEAREST)
        return (y - down) * own[..., 0] + (x - right) * own[..., 1]

    left, right = (corner(0, side) * (1 - fade_y) + fade_y * corner(1, side) for side in (0, 1))
    return np.sqrt(2) * ((1 - fade_x) * left + fade_x * right)


def _stretched(noise: np.ndarray, slope: float) -> np.ndarray:
    """Noise behind a sigmoid, spread over [0, 1]."""
    return _spread(1 - 1 / (1 + np.exp(np.clip(noise / slope, -STEEPEST, STEEPEST))))


def _spread(values: np.ndarray) -> np.ndarray:
    """Values spread over [0, 1]; all 0 where they are equal (the authors': NaN)."""
    values = values - values.min()
    most = values.max()
    return values / most if most > 0 else values


def _gaussians(count: int, height: int, width: int, draw: np.random.RandomState) -> Tensor:
    """Float32 ``(count, H, W)``: one Gaussian of height 1 in each, its axes along the image's."""
    draw.rand(1, count, 1, 1)  # the weights of a mixture, which with one component are 1
    size = [count, 1, 1]
    x, y = (torch.from_numpy(draw.randint(side, size=size)).float() for side in (width, height))
    # Sides below 32 pixels give deviations of 0, and a division by them.
    wide, high = (
        torch.from_numpy(draw.randint(side // 32, side // 4, size=size)).float().clamp(min=SMALLEST)
        for side in (width, height)
    )
    rows, columns = torch.arange(height)[None, :, None], torch.arange(width)[None, None]
    distance = torch.square((columns - x) / wide) + torch.square((rows - y) / high)
    return torch.exp(-0.5 * distance).clamp(0, 1)
