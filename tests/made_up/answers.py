"""A method that gives answers prepared for each expression, and answers of every form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from made_up.samples import blobs

from risbench import Prediction, Sample
from risbench.masks import union_of


class Answers:
    """Answers each sample with what was prepared for its id."""

    card = MappingProxyType({"grade": "native", "reads": ("refs",)})

    def __init__(self, prepared: Mapping[str, Any]) -> None:
        self._prepared = prepared

    def predict(self, image: np.ndarray, texts: list[str], *, samples: Sequence[Sample]) -> list[Any]:
        return [self._prepared[sample.id] for sample in samples]


def masks_for(split: Any, seed: int = 0) -> dict[str, np.ndarray]:
    """For each sample a mask that meets its truth more or less."""
    generator = np.random.default_rng(seed)
    found = {}
    for number, sample in enumerate(split):
        noise = blobs(generator, sample.size, 0.1 + 0.1 * (number % 3), 3.0)
        found[sample.id] = union_of(sample.parts, sample.size) ^ noise
    return found


def heats_for(split: Any, size: tuple[int, int] = (20, 24), seed: int = 0) -> dict[str, np.ndarray]:
    """For each sample a smooth heat of both signs, float32."""
    import cv2

    generator = np.random.default_rng(seed)
    field = {
        sample.id: cv2.GaussianBlur(generator.standard_normal(size).astype(np.float32), (0, 0), 3.0) for sample in split
    }
    return {name: heat / np.abs(heat).max() for name, heat in field.items()}


def every_form_for(split: Any) -> dict[str, Any]:
    """For each sample another form of prediction: heat or mask alone or both, with a point or boxes of its own."""
    masks, heats = masks_for(split), heats_for(split)
    found = {}
    for number, sample in enumerate(split):
        mask, heat = masks[sample.id], heats[sample.id]
        height, width = sample.size
        forms = [
            heat,
            Prediction(mask=mask, heat=heat),
            Prediction(heat=heat, point=(width / 4 + 0.25, height / 3)),
            Prediction(heat=heat, boxes=np.array([[5.0, 3.0, 20.5, 18.25], [0, 0, 1, 1]])),
            mask,
            Prediction(mask=mask, heat=heat, point=(2.5, 3.5), boxes=np.array([[10.0, 5.0, 31.0, 26.0]])),
        ]
        found[sample.id] = forms[number % len(forms)]
    return found
