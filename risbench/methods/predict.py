"""Predict masks for one image and some texts, without a truth to score them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from ..faults import Watched
from ..masks import LazyMask
from ..metrics.coverage import Coverage, cautions
from ..metrics.rules.protocols import Rules
from ..records import Sample
from .answers import predictions_of
from .contract import inner_of, reads


class Answer(NamedTuple):
    """A method's prediction for one text.

    Attributes:
        text: the expression.
        mask: bool ``(H, W)``: the method's own, or cut from the heat by the rules.
        point: ``(x, y)`` in continuous pixels, or None.
        heat: float32 of the method's own size, or None.
        cut: whether the rules cut the mask from the heat.
    """

    text: str
    mask: np.ndarray
    point: tuple[float, float] | None
    heat: np.ndarray | None
    cut: bool = False


def cautions_of(answers: Sequence[Answer], rules: Rules, card: Mapping[str, Any]) -> list[str]:
    """Warnings about masks that cover the whole image or nothing; see `risbench.metrics.coverage`."""
    coverage = Coverage()
    for answer in answers:
        coverage = coverage.with_mask(LazyMask.of_pixels(answer.mask), cut=answer.cut)
    return cautions(coverage, rules.record(), card)


def predict(method: Any, image: np.ndarray, texts: Sequence[str], rules: Rules) -> list[Answer]:
    """Predict a mask for each text of one image.

    Args:
        method: any object with ``predict`` that uses nothing but image and text.
        image: uint8 ``(H, W, 3)``.
        texts: the expressions.
        rules: how a heat becomes a mask, at the image's size.

    Raises:
        UsageError: the method reads more than image and text, or the rules count masks in a size of their own.
        MaskError: a prediction is neither mask nor heat.
    """
    if reads(method):
        raise UsageError(f"this method reads {', '.join(reads(method))}: it can only be run on a split")
    if rules.size is not None:
        height, width = rules.size
        raise UsageError(f"--rules {rules.name} makes masks of {height}x{width}; give tris or clean")
    height, width = image.shape[:2]
    samples = [
        Sample(f"predict/0/{place}", 0, 0, place, Path(), (height, width), text, None, ())
        for place, text in enumerate(texts)
    ]
    with Watched("predicting this image", inner_of(method)):
        raw = method.predict(image, list(texts))
    answers = []
    for sample, prediction in zip(samples, predictions_of(raw, samples), strict=True):
        verdict = rules.judge(sample, prediction)
        cut = prediction.mask is None
        answers.append(Answer(sample.text, verdict.mask.pixels, verdict.point, prediction.heat, cut))
    return answers
