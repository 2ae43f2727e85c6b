"""Floor: a box in the middle of the image with half its sides; its heat peaks in the centre.

What a method must beat before it can claim to have looked. The box has a quarter of the image's area; the heat is a
bump over it, so PointIt and PointM ask whether the centre pixel is on the object.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from risbench import Prediction


class Centre:
    """Says "the middle" to every text."""

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
    """The method; it has no options."""
    return Centre()
