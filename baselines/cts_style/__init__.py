"""CTS-style: boxes as supervision, a re-implementation after Feng et al., TNNLS 2022; not the authors' code.

The authors published no code and no weights. What their abstract says is kept: a loss that learns an object's contour
from its box, region proposals of which the contour picks one as pseudo mask, and two networks that pick clean labels
for each other. What it leaves open was chosen here, and each file says what.

The public names; each is imported when it is first used, so that methods can be listed without torch.

- ``load(path) -> TwoNetworks``: its ``first`` and ``second`` are TRIS's segmentation networks (``second`` is None in a
  file of one network): ``net.first(images (B, 3, S, S), tokens (B, L)) -> logits (B, 1, S, S)``;
- ``contour_losses(maps (B, h, w), inside (B, h, w))``: tightness and sparsity, by name, and ``loss``;
- ``proposals(image (H, W, 3), box) -> bool (N, H, W)``: what may be the object in a box;
- ``best_proposal(proposals (N, H, W), contour (H, W)) -> int``: the one that fits the contour map best;
- ``co_teaching_losses(first, second, masks, kept)``: what each network learns from what the other one picks;
- ``kept_share(step, total)``: how much is picked;
- ``make``: the method.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .method import make as make

if TYPE_CHECKING:
    from .co_teaching import co_teaching_losses as co_teaching_losses
    from .co_teaching import kept_share as kept_share
    from .contour import contour_losses as contour_losses
    from .grid_cuts import proposals as proposals
    from .pseudo_masks import best_proposal as best_proposal
    from .weights_file import load as load

_HOMES = {
    "best_proposal": "pseudo_masks",
    "co_teaching_losses": "co_teaching",
    "contour_losses": "contour",
    "kept_share": "co_teaching",
    "load": "weights_file",
    "proposals": "grid_cuts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = found  # in place of the submodule of the same name
    return found
