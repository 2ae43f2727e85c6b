"""The training of TRIS: one visible loop a stage.

``tris`` runs the stages, ``stage1`` and ``stage2`` hold their loops, and ``loop`` holds what all loops share. The names
below are public: trainers of other networks read their recipes and check their inputs with them, and ``Refs`` are the
objects of a split with their sentences. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..doors import door

if TYPE_CHECKING:
    from .inputs import building, check_folder, check_split
    from .recipe import names, one
    from .refs import Ref, Refs

__all__ = [
    "Ref",
    "Refs",
    "building",
    "check_folder",
    "check_split",
    "names",
    "one",
]

_HOMES = {
    "Ref": "refs",
    "Refs": "refs",
    "building": "inputs",
    "check_folder": "inputs",
    "check_split": "inputs",
    "names": "recipe",
    "one": "recipe",
}

__getattr__, __dir__ = door(__name__, _HOMES)
