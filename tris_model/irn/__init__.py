"""IRN: from a coarse response map to a mask that ends where the object ends (Ahn et al., CVPR 2019, arXiv 1904.05044).

TRIS refines the maps of stage 1 with it before stage 2 learns from them. In order:

1. ``labels``: pixels of whose side one can be sure, by two thresholds, each cleaned by a dense CRF (``crf``).
2. ``train``: a network (``network``, on a frozen trunk of ``trunks``) learns from pairs of such pixels (``paths``,
   ``affinity``) where edges are and in which direction the object's middle lies.
3. ``masks``: the middles split the map into parts (``centroids``), and each part walks at random over the image without
   crossing edges (``walk``).

The names below are the public ones. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..doors import door

if TYPE_CHECKING:
    from .crf import clean, decide

__all__ = [
    "clean",
    "decide",
]

_HOMES = {
    "clean": "crf",
    "decide": "crf",
}

__getattr__, __dir__ = door(__name__, _HOMES)
