"""The training of TRIS: one visible loop a stage.

``tris`` runs the stages, ``stage1`` and ``stage2`` hold their loops, and ``loop`` holds what all loops share. The names
below are public: trainers of other networks read their recipes with them. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..doors import door

if TYPE_CHECKING:
    from .inputs import building
    from .recipe import names, one

__all__ = [
    "building",
    "names",
    "one",
]

_HOMES = {
    "building": "inputs",
    "names": "recipe",
    "one": "recipe",
}

__getattr__, __dir__ = door(__name__, _HOMES)
