"""The training of TRIS, with one visible loop per stage.

``tris`` runs the stages, ``stage1`` and ``stage2`` contain their loops, and ``loop`` contains the code that all loops
share. The names below are public: trainers of other networks use them to read recipes and check inputs. ``Refs`` are
the objects of a split with their sentences. Each is imported when it is first used.
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
