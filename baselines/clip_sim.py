"""Floor: how similar is each place of the image to the text, for a CLIP that nobody trained to say where?

CLIP with a ResNet pools its last layer by attention into one feature an image. Applied at every position instead, with
the query and the mixing left out (value projection, then output projection), the pool gives every cell a feature in the
space of texts; the heat is its cosine with the text. The values alone, as in MaskCLIP (Zhou et al., ECCV 2022), because
the queries were only ever trained to sum up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

import tris_model
from risbench import Prediction, UsageError

if TYPE_CHECKING:
    from torch import Tensor

CARD: Mapping[str, Any] = MappingProxyType(
    {
        "paper": "Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021",
        "code": "the pool's values at every cell, as in Zhou et al., Extract Free Dense Labels from CLIP, ECCV 2022",
        "licence": "MIT",
        "supervision": "none",
        "extra_data": "CLIP RN50 (400 million image-text pairs)",
        "grade": "native",
        # Of the heat, whose smallest value is 0 and largest 1; the middle, until a sweep says better.
        "threshold": 0.5,
        "weights": None,
        "reads": (),
    }
)


class ClipSim:
    """Sees an image once, whatever is asked about it; see :func:`make` for the options.

    Attributes:
        card: frozen; what the method is.
        parameter_count: weights of the CLIP.
    """

    def __init__(self, weights: str, *, device: str, positions: bool, size: int | None, threshold: float):
        import torch  # here, so that methods can be listed without it

        from . import _clip

        clip = tris_model.load_clip(weights).to(torch.device(device))
        config = clip.config
        if not config.pool_grid:
            raise UsageError(f"{weights} has no attention pool, through which clip_sim sees; give a whole CLIP")
        self._side = config.pool_grid * config.stride if size is None else size
        if self._side < config.stride or self._side % config.stride:
            raise UsageError(f"size={size}: give a multiple of {config.stride}, the pixels of a cell")
        self.parameter_count = sum(weight.numel() for weight in clip.parameters())
        self._pool = clip.visual.attnpool
        self._clip = tris_model.quicken(clip)
        self._device = torch.device(device)
        self._positions = positions
        self._threshold = threshold
        extra = {"extra_data": "a tiny CLIP trained on captions of drawn scenes"} if _clip.is_tiny(clip) else {}
        changes = {"threshold": threshold, "weights": tris_model.digest(tris_model.find_clip(weights)), **extra}
        self.card: Mapping[str, Any] = MappingProxyType({**CARD, **changes})

    def predict(self, image: np.ndarray, texts: Sequence[str]) -> list[Prediction]:
        """A heat for every text, float32 ``(S, S)`` in [0, 1], and the mask where it exceeds the threshold.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: any number.
        """
        from ._clip import enlarged, spread

        if not texts:
            return []
        heats = spread(enlarged(self.similarity(image, texts), (self._side, self._side)))
        masks = enlarged(heats, image.shape[:2]) > self._threshold
        pairs = zip(masks.cpu().numpy(), heats.cpu().numpy(), strict=True)
        return [Prediction(mask=mask, heat=heat) for mask, heat in pairs]

    def similarity(self, image: np.ndarray, texts: Sequence[str]) -> Tensor:
        """The cosine of every cell with every text, ``(N, h, w)`` in [-1, 1]; see :meth:`predict`."""
        import torch

        from ._clip import pixels_of, read

        distinct = list(dict.fromkeys(texts))
        with torch.inference_mode():
            said = read(self._clip, distinct, self._device)
            pixels = pixels_of(self._clip, image, self._side)[None].to(self._device)
            last = self._clip.see(pixels)[3]
            cells = self._values(last[0].flatten(1).T, last.shape[2:])
            cosines = said @ torch.nn.functional.normalize(cells, dim=1).T
        return cosines.unflatten(1, last.shape[2:])[[distinct.index(text) for text in texts]]

    def _values(self, cells: Tensor, grid: Sequence[int]) -> Tensor:
        """Cells of c4, ``(h * w, C)``, through the pool's values and output: ``(h * w, D)``."""
        if self._positions:
            cells = cells + self._pool.positions(*grid)[1:]
        return self._pool.c_proj(self._pool.v_proj(cells))


def make(
    *,
    weights: str | None = None,
    device: str = "cpu",
    split: str | None = None,
    positions: bool = False,
    size: int | None = None,
    threshold: float = 0.5,
) -> ClipSim:
    """Build the method.

    Args:
        weights: OpenAI's ``RN50.pt`` or another CLIP with a ResNet, or ``shapes``, the shipped tiny CLIP of the drawn
            world (which needs no asking on splits ``shapes_*``).
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        split: the split that will be answered, given by the runner.
        positions: add the pool's table of positions to the cells, as the pool itself does; it then answers partly by
            place, whatever is there.
        size: side of the square input in pixels; by default the one the CLIP was trained at.
        threshold: where the heat becomes a mask, between 0 and 1; `risbench sweep` finds the best on a split.

    Raises:
        UsageError: no weights, or a size that does not fit.
        DataError: a weights file that cannot be used.
    """
    from ._clip import named

    if not 0 <= threshold < 1:
        raise UsageError(f"threshold={threshold:g}: give a number from 0 to below 1")
    name = named("clip_sim", weights, split)
    return ClipSim(name, device=device, positions=positions, size=size, threshold=threshold)


make.card = CARD  # pyright: ignore[reportFunctionMemberAccess] - `list methods` shows it without weights
