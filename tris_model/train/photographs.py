"""Images for training: decoded and squashed in threads, ahead of the step that needs them, and kept if they are few."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from .journal import processors
from .pictures import squash

MOST_KEPT = 4 * 2**30  # bytes


class Photographs:
    """The images of a split at the network's size.

    Attributes:
        paths: where they lie.
        size: side in pixels.
    """

    def __init__(self, paths: Sequence[Path], size: int):
        self.paths = list(paths)
        self.size = size
        self._pool = ThreadPoolExecutor(max(1, min(16, processors())))
        self._kept: dict[int, np.ndarray] = {}
        self._keeps = len(self.paths) * size * size * 3 <= MOST_KEPT

    def ask(self, places: Sequence[int]) -> list[Future[np.ndarray]]:
        """Begin to read images, by their places; :meth:`take` waits for them."""
        return [self._pool.submit(self._read, int(place)) for place in places]

    def take(self, asked: Sequence[Future[np.ndarray]]) -> np.ndarray:
        """uint8 ``(B, S, S, 3)``."""
        return np.stack([one.result() for one in asked])

    def batch(self, places: Sequence[int]) -> np.ndarray:
        """Both at once."""
        return self.take(self.ask(places))

    def _read(self, place: int) -> np.ndarray:
        if place in self._kept:
            return self._kept[place]
        with Image.open(self.paths[place]) as image:
            pixels = squash(np.asarray(image.convert("RGB")), self.size)
        if self._keeps:
            self._kept[place] = pixels
        return pixels
