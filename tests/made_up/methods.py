"""Methods made up for tests. Their answers depend on picture and words alone, unless the name says otherwise.

They are a package of their own, because every run looks through the code of its method's package and of all that it
imports, and the other helpers import every method, model and report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from risbench import Prediction


def heat_for(image: np.ndarray, text: str) -> np.ndarray:
    """A heat that looks at the picture and at the words."""
    seed = int.from_bytes(hashlib.sha256(image.tobytes() + text.encode()).digest()[:8], "big")
    coarse = np.random.default_rng(seed).standard_normal((5, 7)).astype(np.float32)
    return coarse - np.float32(0.3)


class Heats:
    """Asked image by image; keeps count of what it was asked."""

    card: Any = MappingProxyType({"grade": "native", "supervision": "none"})

    def __init__(self) -> None:
        self.requests: list[list[str]] = []

    def predict(self, image: np.ndarray, texts: list[str]) -> Any:
        self.requests.append(list(texts))
        return [heat_for(image, text) for text in texts]


class Masks(Heats):
    """Answers with masks, a point and boxes."""

    def predict(self, image: np.ndarray, texts: list[str]) -> Any:
        self.requests.append(list(texts))
        answers = []
        for text in texts:
            mask = np.kron(heat_for(image, text) > 0, np.ones((8, 8), bool))
            mask = np.pad(mask, ((0, 64), (0, 64)))[: image.shape[0], : image.shape[1]]
            answers.append(Prediction(mask=mask, point=(3.5, 4.25), boxes=np.array([[1.0, 2.0, 9.5, 12.0]])))
        return answers


class Batches(Heats):
    """Asked in batches; keeps the size of each."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def predict_many(self, images: Sequence[np.ndarray], texts: Sequence[list[str]]) -> Any:
        self.sizes.append(len(images))
        return [[heat_for(image, text) for text in words] for image, words in zip(images, texts, strict=True)]


class Turning(Heats):
    """Answers as `Heats` does, but what a function makes of it at the n-th image (counted from 1)."""

    def __init__(self, at: int, turn: Callable[[Any], Any]) -> None:
        super().__init__()
        self._at, self._turn = at, turn

    def predict(self, image: np.ndarray, texts: list[str]) -> Any:
        answer = super().predict(image, texts)
        return self._turn(answer) if len(self.requests) == self._at else answer
