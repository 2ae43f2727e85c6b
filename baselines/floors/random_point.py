"""Floor: one random pixel. Its PointM is the mean fraction of the image that the objects cover."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from risbench import Prediction

from .chance import generator, pixels_of


class RandomPoint:
    """Predicts a random pixel."""

    card = MappingProxyType(
        {
            "code": "a random pixel, the same for the same image and text",
            "licence": "MIT",
            "grade": "native",
            "supervision": "none",
        }
    )
    parameter_count = 0

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def predict(self, image: np.ndarray, texts: list[str]) -> list[Prediction]:
        """A point for each text; image uint8 ``(H, W, 3)``."""
        height, width = image.shape[:2]
        picture = pixels_of(image)
        answers = []
        for text in texts:
            chance = generator(self.seed, picture, text)
            row, column = int(chance.integers(0, height)), int(chance.integers(0, width))
            mask = np.zeros((height, width), dtype=bool)
            mask[row, column] = True
            answers.append(Prediction(mask=mask, point=(column + 0.5, row + 0.5)))
        return answers


def make(*, seed: int = 0) -> RandomPoint:
    """Build the method; ``seed`` decides the random pixels."""
    return RandomPoint(seed)
