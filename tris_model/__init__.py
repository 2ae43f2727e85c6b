"""TRIS: referring image segmentation from text supervision alone (Liu et al., ICCV 2023).

The names below are the public ones. Each is imported when it is first used, so ``import tris_model`` is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import convert, describe, digest, load, save
    from .clip import Clip, TextTower
    from .clipfile import load_clip
    from .config import Config
    from .pixels import preprocess
    from .places import find_clip
    from .quick import quicken
    from .segmenter import make
    from .stage1 import Stage1
    from .stage2 import Stage2
    from .tokens import tokenize

__all__ = [
    "Clip",
    "Config",
    "Stage1",
    "Stage2",
    "TextTower",
    "convert",
    "describe",
    "digest",
    "find_clip",
    "load",
    "load_clip",
    "make",
    "preprocess",
    "quicken",
    "save",
    "tokenize",
]

_HOMES = {
    "Clip": "clip",
    "Config": "config",
    "Stage1": "stage1",
    "Stage2": "stage2",
    "TextTower": "clip",
    "convert": "checkpoint",
    "describe": "checkpoint",
    "digest": "checkpoint",
    "find_clip": "places",
    "load": "checkpoint",
    "load_clip": "clipfile",
    "make": "segmenter",
    "preprocess": "pixels",
    "quicken": "quick",
    "save": "checkpoint",
    "tokenize": "tokens",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tris_model' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
