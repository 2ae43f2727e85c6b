"""Floor: one pixel anywhere, seeded. Its PointM is the mean share of the image that the objects take."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from risbench import Prediction

from .chance import generator, pixels_of


class RandomPoint:
    """Guesses a pixel."""

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
    """The method, with the seed of its guesses."""
    return RandomPoint(seed)
