"""TRIS: referring image segmentation from text supervision alone (Liu et al., ICCV 2023).

The names below are the public ones. Each is imported when it is first used, so ``import tris_model`` is light.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from .doors import door

if TYPE_CHECKING:
    from .clip.pixels import preprocess
    from .clip.tokens import tokenize
    from .clip.towers import Clip, TextTower
    from .config import Config
    from .files.checkpoint import convert, describe, digest, load, save
    from .files.clip_file import load_clip
    from .files.names import find_clip
    from .inference.fused import fuse_for_inference
    from .method import make
    from .network.stage1 import Stage1
    from .network.stage2 import Stage2

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
    "fuse_for_inference",
    "load",
    "load_clip",
    "make",
    "preprocess",
    "save",
    "tokenize",
]

_HOMES = {
    "Clip": "clip.towers",
    "Config": "config",
    "Stage1": "network.stage1",
    "Stage2": "network.stage2",
    "TextTower": "clip.towers",
    "convert": "files.checkpoint",
    "describe": "files.checkpoint",
    "digest": "files.checkpoint",
    "find_clip": "files.names",
    "load": "files.checkpoint",
    "load_clip": "files.clip_file",
    "make": "method",
    "preprocess": "clip.pixels",
    "fuse_for_inference": "inference.fused",
    "save": "files.checkpoint",
    "tokenize": "clip.tokens",
}


_find, __dir__ = door(__name__, _HOMES)
_RENAMED = {"quicken": "fuse_for_inference"}


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        warnings.warn(
            f"tris_model.{name} is now called tris_model.{_RENAMED[name]}; the old name will be removed",
            DeprecationWarning,
            stacklevel=2,
        )
    return _find(_RENAMED.get(name, name))
