"""Backgrounds: muted and textured, so that objects differ by hue but cannot be found by edges alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .prng import Dice, noise

# A weave is the amount, 0 to 256, of the second tone in every pixel: int32 (H, W).


def _gradient(dice: Dice, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b = dice.between(-4, 4), dice.between(-4, 4)
    slope = x * a + y * b if a or b else x + y
    low, high = int(slope.min()), int(slope.max())
    return 256 * (slope - low) // max(1, high - low)


def _clouds(dice: Dice, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    cell = dice.between(12, 36)
    height, width = y.size // cell + 2, x.size // cell + 2
    lattice = noise(dice.next(), height, width)
    row, down = y // cell, (y % cell) * 256 // cell
    column, along = x // cell, (x % cell) * 256 // cell
    down, along = down * down * (768 - 2 * down) >> 16, along * along * (768 - 2 * along) >> 16
    upper = lattice[row, column] * (256 - along) + lattice[row, column + 1] * along
    lower = lattice[row + 1, column] * (256 - along) + lattice[row + 1, column + 1] * along
    return (upper * (256 - down) + lower * down) >> 16


def _bands(dice: Dice, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b = dice.pick(((1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, -2)))
    wide = dice.between(8, 24)
    return 256 * (((x * a + y * b) // wide) % 2)


def _tiles(dice: Dice, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wide, high = dice.between(10, 30), dice.between(10, 30)
    return 256 * ((x // wide + y // high) % 2)


def _bricks(dice: Dice, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wide, high = dice.between(20, 36), dice.between(9, 16)
    along = (x + (y // high % 2) * (wide // 2)) % wide
    return np.where((along < 2) | (y % high < 2), 256, 0)


def _grain(dice: Dice, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    cell = dice.between(2, 4)
    return noise(dice.next(), y.size // cell + 1, x.size // cell + 1)[y // cell, x // cell]


_WEAVES: tuple[Callable[[Dice, np.ndarray, np.ndarray], np.ndarray], ...] = (
    _gradient,
    _clouds,
    _bands,
    _tiles,
    _bricks,
    _grain,
)


def muted(dice: Dice) -> tuple[int, int, int]:
    """A colour with low saturation: red, green, blue in [0, 255]."""
    grey = dice.between(56, 206)
    return grey + dice.between(-16, 16), grey + dice.between(-12, 12), grey + dice.between(-16, 16)


def background(dice: Dice, height: int, width: int) -> np.ndarray:
    """A textured background: int32 ``(height, width, 3)`` in [0, 255]."""
    first = muted(dice)
    rise = dice.between(14, 44) * dice.pick((-1, 1))
    y, x = np.arange(height, dtype=np.int32)[:, None], np.arange(width, dtype=np.int32)[None, :]
    amount = np.broadcast_to(dice.pick(_WEAVES)(dice, x, y), (height, width))
    ground = np.empty((height, width, 3), dtype=np.int32)
    for channel in range(3):
        ground[..., channel] = first[channel] + ((rise + dice.between(-10, 10)) * amount >> 8)
    if dice.chance(60):
        ground += ((noise(dice.next(), height, width) >> 5) - 4)[..., None]
    return np.clip(ground, 0, 255)
