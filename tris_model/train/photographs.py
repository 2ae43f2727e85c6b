"""Images for training: decoded and squashed, ahead of the step that needs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from risbench.datasets.images import read_image

from ..tiny_clip.pictures import squash
from .loop.ahead import Ahead


class Photographs(Ahead):
    """The images of a split at the network's size, uint8 ``(S, S, 3)``.

    Attributes:
        paths: where they lie.
        size: side in pixels.
    """

    def __init__(self, paths: Sequence[Path], size: int):
        self.paths = list(paths)
        self.size = size
        super().__init__(self._read, len(self.paths) * size * size * 3)

    def _read(self, place: int) -> np.ndarray:
        return squash(read_image(self.paths[place]), self.size)
