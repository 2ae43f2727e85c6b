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


class Look(Protocol):
    """How a method looks into a CLIP."""

    def __call__(self, pixels: Tensor, text_features: Tensor) -> Tensor:
        """Maps of some texts.

        Args:
            pixels: the image as input, ``(1, 3, S, S)``.
            text_features: the texts in the joint space, ``(N, D)``, unit length.

        Returns:
            ``(N, h, w)``, a cell each, of any range.
        """
        ...


class HeatMethod:
    """Sees an image once, whatever is asked about it, and reads a text once, however often it is asked.

    Attributes:
        card: frozen; what the method is.
        parameter_count: weights of the CLIP.
        weights_notes: what a user should know of how the weights were read, a sentence each.
    """

    def __init__(
        self,
        card: Mapping[str, Any],
        opened: OpenedClip,
        look: Look,
        *,
        size: int | None,
        threshold: float | None,
        drawn: float,
        prompt: str,
    ):
        """Frame a method.

        Args:
            card: the method's, with the threshold for photographs.
            opened: the CLIP.
            look: how the method looks into it.
            size: side of the square input in pixels, or None for the trained one.
            threshold: of the spread heat, or None for the card's (``drawn`` with a CLIP of the drawn world).
            drawn: see ``threshold``.
            prompt: of every text.
        """
        if threshold is None:
            threshold = drawn if opened.drawn else float(card["threshold"])
        prompted(prompt, ())
        self._side = input_side(opened, size)
        self._threshold = checked_threshold(threshold)
        self._opened, self._look, self._prompt = opened, look, prompt
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
        """What the method sees of each text before it is spread and enlarged, ``(N, h, w)``; see :meth:`predict`."""
        distinct = list(dict.fromkeys(texts))
        with torch.no_grad():
            text_features = encode_texts(self._opened, prompted(self._prompt, distinct))
            pixels = pixels_of(self._opened, image, self._side, self._side)
        return self._look(pixels, text_features)[[distinct.index(text) for text in texts]]
