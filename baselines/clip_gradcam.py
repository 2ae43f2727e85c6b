"""Floor: Grad-CAM of CLIP's ResNet: which channels of the last layer speak for the text, and where are they?

A channel's weight is the mean over all cells of how the cosine of image and text changes with it (Selvaraju et al.,
ICCV 2017); the heat is the positive part of the weighted sum of channels. The gradient goes through the attention pool
alone, so the trunk is run once an image.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from risbench import Method

if TYPE_CHECKING:
    from torch import Tensor

DRAWN = 0.55  # the threshold with the tiny CLIP, by `risbench sweep` on shapes_val, rules clean
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021",
        "code": "Selvaraju et al., Grad-CAM, ICCV 2017, at layer 4",
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


class GradCam:
    """Layer 4 weighted by the gradient of the cosine."""

    def __init__(self, trunk: Any, pool: Any):
        self._trunk, self._pool = trunk, pool

    def __call__(self, pixels: Tensor, text_features: Tensor) -> Tensor:
        """The map of every text, ``(N, h, w)``, not negative."""
        import torch
        from torch.nn.functional import normalize

        with torch.no_grad():
            last = self._trunk(pixels)[3].contiguous()
        # A copy for every text: all gradients in one pass.
        copies = last.expand(len(text_features), -1, -1, -1).clone().requires_grad_()
        cosines = (normalize(self._pool.summary(copies), dim=1) * text_features).sum(1)
        (gradient,) = torch.autograd.grad(cosines.sum(), copies)
        return torch.einsum("nc,chw->nhw", gradient.mean((2, 3)), last[0]).relu()


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
        weights: OpenAI's ``RN50.pt`` or another CLIP with a ResNet, or
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
        prompt: what is read, the expression standing for ``{}``.

    Raises:
        UsageError: no weights, or an option that does not fit.
        DataError: a weights file that cannot be used.
    """
    from ._clip.heat_method import HeatMethod
    from ._clip.opening import open_model
    from ._clip.prompting import trunk_and_pool

    opened = open_model(
        "clip_gradcam",
        weights=weights,
        split=split,
        model=model,
        pretrained=pretrained,
        activation=activation,
        device=device,
        tower="resnet",
        best="resnet",
    )
    return HeatMethod(
        CARD, opened, GradCam(*trunk_and_pool(opened.clip)), size=size, threshold=threshold, drawn=DRAWN, prompt=prompt
    )


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
