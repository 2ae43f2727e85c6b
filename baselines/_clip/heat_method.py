"""A method that makes a heat from a CLIP and a text. Methods differ only in the function that computes the heat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from risbench import Prediction
from tris_model.devices import computing

from .prompting import OpenedClip, answers, checked_threshold, encode_texts, input_side, pixels_of, prompted


class HeatFunction(Protocol):
    """A function that computes the heats of texts from a CLIP."""

    def __call__(self, pixels: Tensor, text_features: Tensor) -> Tensor:
        """Compute one map per text.

        Args:
            pixels: the preprocessed image, ``(1, 3, S, S)``.
            text_features: the texts in the joint space, ``(N, D)``, unit length.

        Returns:
            ``(N, h, w)``, one value per cell, in any range.
        """
        ...


class HeatMethod:
    """A method with one heat function; it encodes each image once and each distinct text once.

    Attributes:
        card: the method's card, frozen.
        parameter_count: number of the CLIP's parameters.
        weights_notes: what a user should know about how the weights were read, one sentence each.
    """

    def __init__(
        self,
        card: Mapping[str, Any],
        opened: OpenedClip,
        heat_function: HeatFunction,
        *,
        size: int | None,
        threshold: float | None,
        drawn: float,
        prompt: str,
    ):
        """Set up the method.

        Args:
            card: the method's card, with the threshold for photographs.
            opened: the CLIP.
            heat_function: computes the maps of texts.
            size: side of the square input in pixels; None for the size that the CLIP was trained at.
            threshold: for a heat scaled to [0, 1]; None for the card's, or for ``drawn`` with a CLIP of the drawn
                world.
            drawn: see ``threshold``.
            prompt: put round every text.
        """
        if threshold is None:
            threshold = drawn if opened.drawn else float(card["threshold"])
        prompted(prompt, ())
        self._side = input_side(opened, size)
        self._threshold = checked_threshold(threshold)
        self._opened, self._heat_function, self._prompt = opened, heat_function, prompt
        self.parameter_count, self.weights_notes = opened.parameter_count, opened.notes
        self.card: Mapping[str, Any] = MappingProxyType({**card, **opened.card, "threshold": threshold})

    def predict(self, image: np.ndarray, texts: Sequence[str]) -> list[Prediction]:
        """A heat for every text, float32 ``(S, S)`` in [0, 1], and the mask where it exceeds the threshold.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
        """
        if not texts:
            return []
        with computing("float32"):
            return answers(self.maps(image, texts), self._side, image.shape[:2], self._threshold)

    def maps(self, image: np.ndarray, texts: Sequence[str]) -> Tensor:
        """The map of each text before scaling and enlarging, ``(N, h, w)``; see :meth:`predict`."""
        distinct = list(dict.fromkeys(texts))
        with torch.no_grad():
            text_features = encode_texts(self._opened, prompted(self._prompt, distinct))
            pixels = pixels_of(self._opened, image, self._side, self._side)
        return self._heat_function(pixels, text_features)[[distinct.index(text) for text in texts]]
