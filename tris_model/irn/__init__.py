"""IRN: from a coarse response map to a mask with the object's border (Ahn et al., CVPR 2019, arXiv 1904.05044).

TRIS refines the maps of stage 1 with IRN before stage 2 learns from them. The steps are:

1. ``labels``: confident pixels of object and background, by two thresholds and a dense CRF (``crf``).
2. ``train``: a network (``network``, on a frozen trunk of ``trunks``) learns edges, and displacements to the object's
   centre, from pairs of such pixels (``paths``, ``affinity``).
3. ``masks``: the centres split the map into parts (``centroids``), and a random walk spreads each part up to the edges
   (``walk``).

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
