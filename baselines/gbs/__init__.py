"""GbS, Grounding by Separation (Arbelle et al., ICCV 2021): its network, alpha maps, losses, file and training.

The public names; each is imported when it is first used, so that methods can be listed without torch.

- ``load(path) -> GbsNetwork``: ``net(images, text) -> (B, 1, h, w)``, raw, and ``net.words_map(images, words, mask) ->
  (B, 1, 32, 32)``;
- ``prepare(image, size=512)``: an image as the network gets it;
- ``fuse(map, words_map)``: the heat that the authors evaluate;
- ``alphas(first_id, second_id, masks)``: how two images are blended in training, by the authors' generator;
- ``losses(net, ...)``: the terms of a training step by name and their sum;
- ``make``: the method.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .method import make as make

if TYPE_CHECKING:
    from .blending import alphas as alphas
    from .objective import losses as losses
    from .pixels import fuse as fuse
    from .pixels import prepare as prepare
    from .weights_file import load as load

_HOMES = {"alphas": "blending", "fuse": "pixels", "load": "weights_file", "losses": "objective", "prepare": "pixels"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
