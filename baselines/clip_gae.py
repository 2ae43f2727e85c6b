"""Floor: the relevance of each patch for CLIP's answer, read from the last attention (WWbL's own baseline).

Generic attention explainability (Chefer et al., ICCV 2021) on the last block of the image transformer: attention times
its gradient, the positive part, the mean over heads, and of that the class token's row. Only that row of the attention
reaches the answer, so only it is computed and differentiated.
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
        # Of the heat, whose smallest value is 0 and largest 1; the middle, until a sweep says better.
        "threshold": 0.5,
        "weights": None,
        "reads": (),
    }
)


class Relevance:
    """The last attention of an image transformer, seen from the class token."""

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
        # A copy for every text: all gradients in one pass.
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
