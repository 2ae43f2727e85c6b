"""WWbL, What is Where by Looking (Shaharabany et al., NeurIPS 2022): its network, losses, file and training.

The public names; each is imported when it is first used, so that methods can be listed without torch.

- ``load(path) -> WWbLNetwork``: ``net(images (B, 3, S, S), text (B, 512)) -> (B, 1, S, S)`` after the sigmoid, and
  ``net.attention(images, text) -> (B, 1, S / 8, S / 8)``;
- ``losses(maps, relevance, foreground, background, text)``: the four terms by name and their sum;
- ``masked(images, maps)``: what CLIP is shown for two of them;
- ``make``: the method.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .method import make as make

if TYPE_CHECKING:
    from .loss import losses as losses
    from .loss import masked as masked
    from .weights_file import load as load

_HOMES = {"load": "weights_file", "losses": "loss", "masked": "loss"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = found  # in place of the submodule of the same name
    return found
