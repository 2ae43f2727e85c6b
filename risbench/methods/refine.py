"""Refiners make a mask from a heat in another way than by a threshold, for any method: ``--set refine=NAME``.

The heat and the point stay the method's own; only the mask is replaced. The refiner starts from the threshold that
holds without it. That is the threshold of the rules, in their unit. If the method returns a mask beside its heat, it is
the threshold of the card instead, unless the user chose one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import plugins
from ..errors import MaskError, RisbenchError, UsageError
from ..metrics.rules.clean import scaled
from ..metrics.rules.protocols import Rules
from ..records import Prediction, Sample
from .answers import predictions_of
from .contract import card_of


class Refiner(Protocol):
    """An entry point in ``risbench.refiners``. An optional attribute ``text`` says in one line what it does."""

    def __call__(self, image: np.ndarray, heats: np.ndarray, threshold: float) -> np.ndarray:
        """Masks from heats.

        Args:
            image: uint8 ``(H, W, 3)``.
            heats: float32 ``(K, H, W)``, of K texts about the image; each is refined independently.
            threshold: above it a pixel is mask before refinement, in the heats' unit.

        Returns:
            bool ``(K, H, W)``.
        """
        ...


class Refined:
    """A method whose masks are made from its heats by a refiner; everything else is the method's own."""

    def __init__(self, method: Any, name: str, rules: Rules, *, title: str, explicit_threshold: bool = False) -> None:
        """Wrap a method.

        Args:
            method: see `risbench.methods.contract.Method`.
            name: of an installed refiner.
            rules: the rules that score, with their threshold.
            title: the method's name, for error messages.
            explicit_threshold: whether the user chose the rules' threshold, so that it replaces the card's.

        Raises:
            UsageError: no such refiner.
        """
        self._method = method
        self._refine: Refiner = plugins.load(plugins.REFINERS, name)
        self._name, self._title = name, title
        self._rules = rules
        own = card_of(method).get("threshold")
        self._own = None if explicit_threshold or own is None else float(own)

    @property
    def wrapped(self) -> Any:
        """The method itself."""
        return self._method

    def __getattr__(self, name: str) -> Any:
        """All other attributes are the method's; ``predict_many`` is wrapped if the method has it."""
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._method, name)
        return partial(self._many, found) if name == "predict_many" else found

    def predict(self, image: np.ndarray, texts: list[str], **extra: Any) -> Any:
        """As `risbench.methods.contract.Method.predict`, every prediction with a refined mask.

        Raises:
            UsageError: a prediction has no heat.
        """
        return self._refined(image, self._method.predict(image, texts, **extra), len(texts))

    def _many(self, predict_many: Any, images: Sequence[np.ndarray], texts: Sequence[list[str]], **extra: Any) -> Any:
        answers = predict_many(images, texts, **extra)
        if not hasattr(answers, "__len__") or len(answers) != len(images):
            return answers  # the caller refuses it, because it knows the images' names
        return [
            self._refined(image, answer, len(words))
            for image, answer, words in zip(images, answers, texts, strict=True)
        ]

    def _refined(self, image: np.ndarray, answer: Any, count: int) -> Any:
        size = (image.shape[0], image.shape[1])
        unnamed = [Sample(f"text {place}", 0, 0, place, Path(), size, "", None, ()) for place in range(1, count + 1)]
        try:
            predictions = predictions_of(answer, unnamed)
        except MaskError:
            return answer  # the caller raises the same error with the sample's name
        heats: list[np.ndarray] = []
        thresholds: list[float] = []
        for prediction in predictions:
            if prediction.heat is None:
                raise UsageError(f"refine={self._name} needs a heat, but {self._title} returns a mask without a heat")
            if prediction.mask is not None and self._own is not None:
                heats.append(scaled(prediction.heat, size))
                thresholds.append(self._own)
            else:
                heats.append(self._rules.scaled(prediction.heat, size))
                thresholds.append(self._rules.own_threshold)
        masks: dict[int, np.ndarray] = {}
        for threshold in dict.fromkeys(thresholds):
            places = [place for place, own in enumerate(thresholds) if own == threshold]
            found = self._run(image, np.stack([heats[place] for place in places]), threshold)
            masks.update(zip(places, found, strict=True))
        return [
            Prediction(mask=masks[place], heat=one.heat, point=one.point, boxes=one.boxes)
            for place, one in enumerate(predictions)
        ]

    def _run(self, image: np.ndarray, heats: np.ndarray, threshold: float) -> np.ndarray:
        masks = self._refine(image, heats, threshold)
        if not isinstance(masks, np.ndarray) or masks.dtype != np.bool_ or masks.shape != heats.shape:
            found = f"{masks.dtype} {masks.shape}" if isinstance(masks, np.ndarray) else type(masks).__name__
            raise RisbenchError(f"refiner '{self._name}' returned {found}; bool {heats.shape} is expected")
        return masks


def refiner_of(options: dict[str, str]) -> str | None:
    """The refiner among ``--set`` options, taken out of them; None for none."""
    name = options.pop("refine", "none")
    return None if name == "none" else name
