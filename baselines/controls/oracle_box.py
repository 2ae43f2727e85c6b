"""Control that reads the annotation: the true box, filled. It is what a perfect box detector scores as a mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from risbench import Prediction, Sample


class OracleBox:
    """Predicts the annotated box, as a box and as a mask."""

    card = MappingProxyType(
        {
            "code": "the annotated box, filled",
            "licence": "MIT",
            "grade": "native",
            "supervision": "oracle",
            "reads": ("box",),
        }
    )
    parameter_count = 0

    def predict(self, image: np.ndarray, texts: list[str], *, samples: Sequence[Sample]) -> list[Prediction]:
        """The true box of each sample; image uint8 ``(H, W, 3)``."""
        return [self._answer(sample) for sample in samples]

    def _answer(self, sample: Sample) -> Prediction:
        mask = np.zeros(sample.size, dtype=bool)
        box = sample.box
        if box is None:
            return Prediction(mask=mask)
        # A box outside the image has negative corners, and a slice counts negative indices from the end.
        x0, y0 = (max(0, math.floor(corner)) for corner in (box.x0, box.y0))
        x1, y1 = (max(0, math.ceil(corner)) for corner in (box.x1, box.y1))
        mask[y0:y1, x0:x1] = True
        point = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
        return Prediction(mask=mask, point=point, boxes=np.array([box], dtype=np.float64))


def make() -> OracleBox:
    """Build the method; it has no options."""
    return OracleBox()
