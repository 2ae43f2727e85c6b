"""Control that reads the annotation: all objects of the target's class.

Perfect class maps score this without the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from risbench import Prediction, Sample
from risbench.masks import union_of

from .same_class import ClassObjects


class OracleClass:
    """Predicts the union of all objects of the target's class; the point is a pixel of the largest object."""

    card = MappingProxyType(
        {
            "code": "all objects of the target's class",
            "licence": "MIT",
            "grade": "native",
            "supervision": "oracle",
            "reads": ("category", "objects"),
        }
    )
    parameter_count = 0

    def __init__(self, objects: ClassObjects) -> None:
        self._objects = objects

    def predict(self, image: np.ndarray, texts: list[str], *, samples: Sequence[Sample]) -> list[Prediction]:
        """The class mask of each sample; image uint8 ``(H, W, 3)``."""
        answers: dict[str | None, Prediction] = {}
        for sample in samples:
            if sample.category not in answers:
                answers[sample.category] = self._answer(sample)
        return [answers[sample.category] for sample in samples]

    def _answer(self, sample: Sample) -> Prediction:
        masks = [union_of(item.parts, sample.size) for item in self._objects.like(sample)]
        if not masks:
            return Prediction(mask=np.zeros(sample.size, dtype=bool))
        largest = max(masks, key=np.count_nonzero)
        rows, columns = np.nonzero(largest)
        middle = len(rows) // 2
        point = (float(columns[middle]) + 0.5, float(rows[middle]) + 0.5) if len(rows) else None
        return Prediction(mask=np.logical_or.reduce(masks), point=point)


def make(*, split: str, data_root: Path) -> OracleClass:
    """Build the method; it reads the annotations of the split of the run."""
    return OracleClass(ClassObjects(split, data_root))
