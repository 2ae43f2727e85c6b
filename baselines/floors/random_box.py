"""Floor: a random box; its sides are between a tenth and nine tenths of the image's."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from risbench import Prediction

from .chance import generator, pixels_of


class RandomBox:
    """Predicts a random box; the point is the box's centre."""

    card = MappingProxyType(
        {
            "code": "a random box, the same for the same image and text",
            "licence": "MIT",
            "grade": "native",
            "supervision": "none",
        }
    )
    parameter_count = 0

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def predict(self, image: np.ndarray, texts: list[str]) -> list[Prediction]:
        """A box for each text; image uint8 ``(H, W, 3)``."""
        picture = pixels_of(image)
        return [self._guess(image.shape[0], image.shape[1], picture, text) for text in texts]

    def _guess(self, height: int, width: int, picture: bytes, text: str) -> Prediction:
        chance = generator(self.seed, picture, text)
        tall = max(1, round(height * chance.uniform(0.1, 0.9)))
        wide = max(1, round(width * chance.uniform(0.1, 0.9)))
        y, x = int(chance.integers(0, height - tall + 1)), int(chance.integers(0, width - wide + 1))
        mask = np.zeros((height, width), dtype=bool)
        mask[y : y + tall, x : x + wide] = True
        return Prediction(mask=mask, point=(x + wide / 2, y + tall / 2))


def make(*, seed: int = 0) -> RandomBox:
    """Build the method; ``seed`` decides the random boxes."""
    return RandomBox(seed)
