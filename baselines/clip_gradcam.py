"""Floor: Grad-CAM on the last layer of CLIP's ResNet.

A channel's weight is the gradient of the cosine of image and text, averaged over all cells (Selvaraju et al., ICCV
2017). The heat is the positive part of the weighted sum of channels. The gradient goes only through the attention pool,
so the trunk runs once per image.
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
        # For a heat from 0 to 1. The middle, until a sweep finds a better value.
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
        # One copy per text, so that one pass gives all gradients.
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
        weights: OpenAI's ``RN50.pt`` or another CLIP with a ResNet, or ``shapes``, the shipped tiny CLIP of the drawn
            world (the default on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split of the run, given by the runner.
        model: the name that open_clip gives the model, if the weights are not OpenAI's; ``NAME,TAG`` also names the
            open_clip weights that the file holds.
        pretrained: open_clip's tag of weights for ``model``; open_clip downloads them.
        activation: the activation that the weights were trained with, if the file does not say it.
        size: side of the square input in pixels; by default the size that the CLIP was trained at.
        threshold: the mask is where the heat exceeds it, from 0 to below 1; by default 0.5, or with the tiny CLIP its
            best value on shapes_val. `risbench sweep` finds the best value on a split.
        prompt: the text that is encoded; ``{}`` stands for the expression.

    Raises:
        UsageError: no weights are given, or an option has a wrong value.
        DataError: the weights file cannot be used.
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
