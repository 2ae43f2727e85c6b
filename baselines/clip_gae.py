"""Floor: the relevance of each patch for CLIP's answer (WWbL's own baseline, and what WWbL is taught with).

See ``_clip/relevance.py`` for what is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from risbench import Method

DRAWN = 0.25  # the threshold with the tiny CLIP, by `risbench sweep` on shapes_val, rules clean
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Chefer et al., Generic Attention-model Explainability, ICCV 2021",
        "code": "the last block of the image transformer, as in WWbL's baseline (Shaharabany et al., NeurIPS 2022)",
        "licence": "MIT",
        "supervision": "none",
        "extra_data": "CLIP's (400 million image-text pairs)",
        "grade": "native",
        # Of the heat, whose smallest value is 0 and largest 1; the middle, until a sweep says better.
        "threshold": 0.5,
        "weights": None,
        "reads": (),
    }
)


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    model: str | None = None,
    pretrained: str | None = None,
    activation: Literal["quick_gelu", "gelu"] | None = None,
    size: int | None = None,
    threshold: float | None = None,
    prompt: str = "{}",
) -> Method:
    """Build the method.

    Args:
        weights: OpenAI's ``ViT-B-32.pt`` (WWbL's) or another CLIP with a vision transformer, or
            ``shapes``, the shipped tiny CLIP of the drawn world (which needs no asking on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        model: a name of open_clip that says what the weights are of, where they are not OpenAI's; ``NAME,TAG`` also
            says which of open_clip's weights a file holds.
        pretrained: open_clip's tag of weights for ``model``, which it fetches.
        activation: what the weights were trained with, where the file does not say.
        size: side of the square input in pixels; by default the one the CLIP was trained at.
        threshold: where the heat becomes a mask, from 0 to below 1; by default 0.5, with the tiny CLIP the best of
            shapes_val. `risbench sweep` finds the best on a split.
        prompt: what is read, the expression standing for ``{}``; WWbL asks ``image of {}`` on ReferIt.

    Raises:
        UsageError: no weights, or an option that does not fit.
        DataError: a weights file that cannot be used.
    """
    from ._clip.heat_method import HeatMethod
    from ._clip.opening import open_model
    from ._clip.relevance import Relevance

    opened = open_model(
        "clip_gae",
        weights=weights,
        split=split,
        model=model,
        pretrained=pretrained,
        activation=activation,
        device=device,
        tower="vit",
        best="vit32",
    )
    return HeatMethod(
        CARD, opened, Relevance(opened.clip.visual), size=size, threshold=threshold, drawn=DRAWN, prompt=prompt
    )


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
