"""Floor: the relevance of each patch to CLIP's score, from the last attention (the baseline in WWbL).

Generic attention explainability (Chefer et al., ICCV 2021) on the last block of the image transformer: the attention
times its gradient, the positive part of that, the mean over heads, and then the class token's row. Only this row of the
attention affects the score, so only this row is computed and differentiated.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from risbench import Method

if TYPE_CHECKING:
    from torch import Tensor

DRAWN = 0.25  # the threshold with the tiny CLIP, by `risbench sweep` on shapes_val, rules clean
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Chefer et al., Generic Attention-model Explainability, ICCV 2021",
        "code": "the last block of the image transformer, as in WWbL's baseline (Shaharabany et al., NeurIPS 2022)",
        "licence": "MIT",
        "supervision": "none",
        "extra_data": "CLIP's (400 million image-text pairs)",
        "grade": "native",
        # For a heat from 0 to 1. The middle, until a sweep finds a better value.
        "threshold": 0.5,
        "weights": None,
        "reads": (),
    }
)


class Relevance:
    """The relevance of patches in the class token's row of the last attention."""

    def __init__(self, visual: Any):
        self._visual = visual

    def __call__(self, pixels: Tensor, text_features: Tensor) -> Tensor:
        """The relevance of every patch for every text, ``(N, h, w)``, not negative."""
        import torch
        from torch.nn.functional import normalize

        visual, block = self._visual, self._visual.blocks[-1]
        with torch.no_grad():
            tokens = visual.before_last(pixels)
            queries, keys, values = (part[0] for part in block.attn.split(block.ln_1(tokens)))
            row = (queries[:, :1] @ keys.transpose(1, 2) * queries.shape[2] ** -0.5).softmax(2)  # (heads, 1, L)
        # One copy per text, so that one pass gives all gradients.
        rows = row.expand(len(text_features), -1, -1, -1).clone().requires_grad_()
        first = tokens[:, 0] + block.attn.out_proj((rows @ values)[:, :, 0].flatten(1))
        first = first + block.mlp(block.ln_2(first))
        cosines = (normalize(visual.summary(first), dim=1) * text_features).sum(1)
        (gradient,) = torch.autograd.grad(cosines.sum(), rows)
        grid = [side // visual.patch for side in pixels.shape[2:]]
        return (gradient * row).relu().mean(1)[:, 0, 1:].unflatten(1, grid)


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
        weights: OpenAI's ``ViT-B-32.pt`` (WWbL's) or another CLIP with a vision transformer, or ``shapes``, the shipped
            tiny CLIP of the drawn world (the default on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split of the run, given by the runner.
        model: the name that open_clip gives the model, if the weights are not OpenAI's; ``NAME,TAG`` also names the
            open_clip weights that the file holds.
        pretrained: open_clip's tag of weights for ``model``; open_clip downloads them.
        activation: the activation that the weights were trained with, if the file does not say it.
        size: side of the square input in pixels; by default the size that the CLIP was trained at.
        threshold: the mask is where the heat exceeds it, from 0 to below 1; by default 0.5, or with the tiny CLIP its
            best value on shapes_val. `risbench sweep` finds the best value on a split.
        prompt: the text that is encoded; ``{}`` stands for the expression. WWbL uses ``image of {}`` on ReferIt.

    Raises:
        UsageError: no weights are given, or an option has a wrong value.
        DataError: the weights file cannot be used.
    """
    from ._clip.heat_method import HeatMethod
    from ._clip.opening import open_model

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
