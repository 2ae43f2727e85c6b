"""Weights files: checkpoints of TRIS, and the CLIPs that others published in many forms.

The names below are the public ones. Each is imported when it is first used. Nothing in a file is ever executed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..doors import door

if TYPE_CHECKING:
    from .architecture import detect_clip, fill
    from .checkpoint import Checkpoint, digest, load, read, write
    from .clip_file import ClipFile, load_clip, read_clip
    from .clip_names import looks_like_clip
    from .hub_cache import hub_id, snapshot
    from .modules import LAYERS, read_module
    from .names import (
        NAMES,
        OPENAI_FILES,
        SUFFIXES,
        clip_advice,
        find_clip,
        missing,
        split_entry,
        weights_file,
        with_entry,
    )
    from .pickled_heads import module_class
    from .shards import INDEX, index_of

__all__ = [
    "INDEX",
    "LAYERS",
    "NAMES",
    "OPENAI_FILES",
    "SUFFIXES",
    "Checkpoint",
    "ClipFile",
    "clip_advice",
    "detect_clip",
    "digest",
    "fill",
    "find_clip",
    "hub_id",
    "index_of",
    "load",
    "load_clip",
    "looks_like_clip",
    "missing",
    "module_class",
    "read",
    "read_clip",
    "read_module",
    "snapshot",
    "split_entry",
    "weights_file",
    "with_entry",
    "write",
]

_HOMES = {
    "INDEX": "shards",
    "LAYERS": "modules",
    "NAMES": "names",
    "OPENAI_FILES": "names",
    "SUFFIXES": "names",
    "Checkpoint": "checkpoint",
    "ClipFile": "clip_file",
    "clip_advice": "names",
    "detect_clip": "architecture",
    "digest": "checkpoint",
    "fill": "architecture",
    "find_clip": "names",
    "hub_id": "hub_cache",
    "index_of": "shards",
    "load": "checkpoint",
    "load_clip": "clip_file",
    "looks_like_clip": "clip_names",
    "missing": "names",
    "module_class": "pickled_heads",
    "read": "checkpoint",
    "read_clip": "clip_file",
    "read_module": "modules",
    "snapshot": "hub_cache",
    "split_entry": "names",
    "weights_file": "names",
    "with_entry": "names",
    "write": "checkpoint",
}

__getattr__, __dir__ = door(__name__, _HOMES)
