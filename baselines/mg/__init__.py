"""MG, MultiGrounding (Akbari et al., CVPR 2019): its network, losses, files and training.

The public names; each is imported when it is first used, so that methods can be listed without torch.

- ``load(prefix) -> MgNetwork``, from the authors' TensorFlow checkpoint or a file of ours:
  ``net.word_maps(images (B, 3, 299, 299), words (B, T, 512), lstm1 (B, T, 1024), lstm2 (B, T, 1024), lengths=None)`` ->
  ``heat (B, T, 37, 37)``, ``score (B, T)``, ``level (B, T)``, ``level_score (B, T, 4)``;
- ``prepare(image uint8 (H, W, 3)) -> float32 (3, 299, 299)``, from 0 to 255; the network subtracts the mean;
- ``losses(*net(images, words, lstm1, lstm2, lengths))``: the four terms by name and their sum;
- ``regulariser(net)``: what is added to it;
- ``query_map(maps, lengths)``: one map of a text from those of its words;
- ``read_bundle(prefix) -> dict[str, np.ndarray]``: any TensorFlow checkpoint (V2), without TensorFlow;
- ``make``: the method.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .method import make as make

if TYPE_CHECKING:
    from .attention import query_map as query_map
    from .bundle import read_bundle as read_bundle
    from .loss import losses as losses
    from .loss import regulariser as regulariser
    from .pixels import prepare as prepare
    from .weights_file import load as load

_HOMES = {
    "load": "weights_file", "losses": "loss", "prepare": "pixels", "query_map": "attention", "read_bundle": "bundle",
    "regulariser": "loss",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = found  # in place of the submodule of the same name
    return found
