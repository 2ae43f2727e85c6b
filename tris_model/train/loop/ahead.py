"""Make arrays in threads before the step that needs them, and keep them if all fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from risbench.datasets.images import read_image
from risbench.machine import processors

from ...clip.pixels import squash

MOST_KEPT = 4 * 2**30  # bytes


class Ahead:
    """Arrays of one shape, by index."""

    def __init__(self, make: Callable[[int], np.ndarray], all_bytes: int):
        """Prepare.

        Args:
            make: makes the array of an index; called in threads.
            all_bytes: size of all arrays together; if they fit in memory, each is made only once.
        """
        self._make = make
        self._pool = ThreadPoolExecutor(max(1, min(16, processors())))
        self._kept: dict[int, Future[np.ndarray]] = {}
        self._keeps = all_bytes <= MOST_KEPT

    def start(self, places: Sequence[int]) -> list[Future[np.ndarray]]:
        """Start making arrays; :meth:`take` waits for them."""
        return [self._one(int(place)) for place in places]

    def take(self, pending: Sequence[Future[np.ndarray]]) -> np.ndarray:
        """Wait for started arrays, and stack them: ``(B, …)``."""
        return np.stack([one.result() for one in pending])

    def batch(self, places: Sequence[int]) -> np.ndarray:
        """Start arrays and wait for them: ``(B, …)``."""
        return self.take(self.start(places))

    def _one(self, place: int) -> Future[np.ndarray]:
        if place in self._kept:
            return self._kept[place]
        pending = self._pool.submit(self._make, place)
        if self._keeps:
            self._kept[place] = pending
        return pending


class Photographs(Ahead):
    """The images of a split at the network's size, uint8 ``(S, S, 3)``.

    Attributes:
        paths: the image files.
        size: side in pixels.
    """

    def __init__(self, paths: Sequence[Path], size: int):
        self.paths = list(paths)
        self.size = size
        super().__init__(self._read, len(self.paths) * size * size * 3)

    def _read(self, place: int) -> np.ndarray:
        return squash(read_image(self.paths[place]), self.size)
