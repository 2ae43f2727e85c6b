"""Floor: how similar is each place of the image to the text, for a CLIP that nobody trained to say where?

Every cell in the space of texts, by the values alone, because queries and keys were only ever trained to sum up
(MaskCLIP: Zhou et al., ECCV 2022). A ResNet pools its last layer by attention into one feature: each cell goes through
the pool's value projection and its output. A transformer's last block likewise: each token goes through the value
projection, the output, the shortcut and the perceptron, then to the joint space. The heat is the cosine with the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from risbench import Method

if TYPE_CHECKING:
    from torch import Tensor

DRAWN = 0.75  # the threshold with the tiny CLIP, by `risbench sweep` on shapes_val, rules clean
CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021",
        "code": "values at every cell, as in Zhou et al., Extract Free Dense Labels from CLIP, ECCV 2022",
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


class Cells:
    """A ResNet's cells, each through the attention pool as if it attended to itself alone."""

    def __init__(self, trunk: Any, pool: Any, positions: bool):
        self._trunk, self._pool, self._positions = trunk, pool, positions

    def __call__(self, pixels: Tensor, text_features: Tensor) -> Tensor:
        """The cosine of every cell with every text, ``(N, h, w)`` in [-1, 1]."""
        import torch

        with torch.inference_mode():
            last = self._trunk(pixels)[3]
            cells = last[0].flatten(1).T
            if self._positions:
                cells = cells + self._pool.positions(*last.shape[2:])[1:]
            return _cosines(self._pool.c_proj(self._pool.v_proj(cells)), text_features, last.shape[2:])


class Patches:
    """A transformer's patches, each through the last block as if it attended to itself alone."""

    def __init__(self, visual: Any):
        self._visual = visual

    def __call__(self, pixels: Tensor, text_features: Tensor) -> Tensor:
        """The cosine of every patch with every text, ``(N, h, w)`` in [-1, 1]."""
        import torch

        visual, block = self._visual, self._visual.blocks[-1]
        with torch.inference_mode():
            tokens = visual.before_last(pixels)[0, 1:]
            values = block.attn.split(block.ln_1(tokens)[None])[2][0].transpose(0, 1).flatten(1)
            tokens = tokens + block.attn.out_proj(values)
            grid = [side // visual.patch for side in pixels.shape[2:]]
            return _cosines(visual.summary(tokens + block.mlp(block.ln_2(tokens))), text_features, grid)


def _cosines(cells: Tensor, text_features: Tensor, grid: Sequence[int]) -> Tensor:
    from torch.nn.functional import normalize

    return (text_features @ normalize(cells, dim=1).T).unflatten(1, tuple(grid))


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    model: str | None = None,
    pretrained: str | None = None,
    activation: Literal["quick_gelu", "gelu"] | None = None,
    positions: bool = False,
    size: int | None = None,
    threshold: float | None = None,
    prompt: str = "{}",
) -> Method:
    """Build the method.

    Args:
        weights: OpenAI's ``RN50.pt``, ``ViT-B-16.pt`` or another CLIP of either kind, or
            ``shapes``, the shipped tiny CLIP of the drawn world (which needs no asking on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        model: a name of open_clip that says what the weights are of, where they are not OpenAI's; ``NAME,TAG`` also
            says which of open_clip's weights a file holds.
        pretrained: open_clip's tag of weights for ``model``, which it fetches.
        activation: what the weights were trained with, where the file does not say.
        positions: of a ResNet: add the pool's table of positions to the cells, as the pool itself does; it then answers
            partly by place, whatever is there. (A transformer's tokens have theirs from the start.)
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
    from ._clip.vit import VitClip

    opened = open_model(
        "clip_sim",
        weights=weights,
        split=split,
        model=model,
        pretrained=pretrained,
        activation=activation,
        device=device,
        best="resnet",
    )
    clip = opened.clip
    look = Patches(clip.visual) if isinstance(clip, VitClip) else Cells(*trunk_and_pool(clip), positions)
    return HeatMethod(CARD, opened, look, size=size, threshold=threshold, drawn=DRAWN, prompt=prompt)


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
