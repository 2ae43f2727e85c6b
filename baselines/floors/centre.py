"""Floor: a box in the middle of the image, half as wide and half as high; its heat peaks in the centre.

A method that uses the image must score above it. The box has a quarter of the image's area. The heat has its maximum at
the centre pixel, so PointIt and PointM test whether that pixel is on the object.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from risbench import Prediction


class Centre:
    """Predicts the middle of the image for every text."""

    card = MappingProxyType(
        {
            "code": "a box in the middle, half as wide and high as the image",
            "licence": "MIT",
            "grade": "native",
            "supervision": "none",
        }
    )
    parameter_count = 0

    def predict(self, image: np.ndarray, texts: list[str]) -> list[Prediction]:
        """The same box for every text; image uint8 ``(H, W, 3)``."""
        height, width = image.shape[:2]
        mask = np.zeros((height, width), dtype=bool)
        mask[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
        rows = 1 - np.abs(np.linspace(-1, 1, height, dtype=np.float32))
        columns = 1 - np.abs(np.linspace(-1, 1, width, dtype=np.float32))
        prediction = Prediction(mask=mask, heat=np.minimum(rows[:, None], columns[None, :]))
        return [prediction] * len(texts)


def make() -> Centre:
    """Build the method; it has no options."""
    return Centre()
