"""Control that reads the annotation: a random object of the target's class.

It is what a perfect detector scores that does not use the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from risbench import Prediction, Sample
from risbench.masks import union_of

from ..floors.chance import generator
from .same_class import ClassObjects


class RandomSameClass:
    """Predicts the mask of a random object of the target's class; the point lies on this object."""

    card = MappingProxyType(
        {
            "code": "a random object of the target's class",
            "licence": "MIT",
            "grade": "native",
            "supervision": "oracle",
            "reads": ("category", "objects"),
        }
    )
    parameter_count = 0

    def __init__(self, objects: ClassObjects, seed: int) -> None:
        self._objects, self.seed = objects, seed

    def predict(self, image: np.ndarray, texts: list[str], *, samples: Sequence[Sample]) -> list[Prediction]:
        """One random object for each sample; image uint8 ``(H, W, 3)``."""
        return [self._answer(sample) for sample in samples]

    def _answer(self, sample: Sample) -> Prediction:
        choices = self._objects.like(sample)
        if not choices:
            return Prediction(mask=np.zeros(sample.size, dtype=bool))
        chance = generator(self.seed, sample.id)
        mask = union_of(choices[int(chance.integers(len(choices)))].parts, sample.size)
        rows, columns = np.nonzero(mask)
        if not len(rows):
            return Prediction(mask=mask)
        place = int(chance.integers(len(rows)))
        return Prediction(mask=mask, point=(float(columns[place]) + 0.5, float(rows[place]) + 0.5))


def make(*, split: str, data_root: Path, seed: int = 0) -> RandomSameClass:
    """Build the method; it reads the annotations of the split of the run. ``seed`` decides the random choices."""
    return RandomSameClass(ClassObjects(split, data_root), seed)
