"""Floor: the similarity of each cell of the image to the text, in a CLIP that was not trained to localise.

Every cell is projected into the joint space by the values alone, because queries and keys were trained only to pool
(MaskCLIP: Zhou et al., ECCV 2022). In a ResNet each cell goes through the value and output projections of the attention
pool. In a transformer each token goes through the last block's value projection, output projection, shortcut and
perceptron, and then into the joint space. The heat is the cosine with the text.
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
        # For a heat from 0 to 1. The middle, until a sweep finds a better value.
        "threshold": 0.5,
        "weights": None,
        "reads": (),
    }
)


class Cells:
    """A ResNet's cells, each through the attention pool as if it attended only to itself."""

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
    """A transformer's patches, each through the last block as if it attended only to itself."""

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
        weights: OpenAI's ``RN50.pt``, ``ViT-B-16.pt`` or another CLIP of either kind, or ``shapes``, the shipped tiny
            CLIP of the drawn world (the default on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split of the run, given by the runner.
        model: the name that open_clip gives the model, if the weights are not OpenAI's; ``NAME,TAG`` also names the
            open_clip weights that the file holds.
        pretrained: open_clip's tag of weights for ``model``; open_clip downloads them.
        activation: the activation that the weights were trained with, if the file does not say it.
        positions: for a ResNet, add the pool's position embeddings to the cells, as the pool itself does. The heat then
            depends partly on the place alone. (A transformer's tokens always have theirs.)
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
