"""A CLIP with a ResNet as image encoder and a transformer as text encoder.

The names below are the public ones. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..doors import door

if TYPE_CHECKING:
    from .pixels import DEVIATION, MEAN, normalised, preprocess
    from .text import Block, CausalAttention, LayerNorm, QuickGELU, Transformer, drawn
    from .tokens import encode, pack, tokenize
    from .towers import Clip, TextSizes, TextTower
    from .trunk import Pyramid, Trunk, resized

__all__ = [
    "DEVIATION",
    "MEAN",
    "Block",
    "CausalAttention",
    "Clip",
    "LayerNorm",
    "Pyramid",
    "QuickGELU",
    "TextSizes",
    "TextTower",
    "Transformer",
    "Trunk",
    "drawn",
    "encode",
    "normalised",
    "pack",
    "preprocess",
    "resized",
    "tokenize",
]

_HOMES = {
    "DEVIATION": "pixels",
    "MEAN": "pixels",
    "Block": "text",
    "CausalAttention": "text",
    "Clip": "towers",
    "LayerNorm": "text",
    "Pyramid": "trunk",
    "QuickGELU": "text",
    "TextSizes": "towers",
    "TextTower": "towers",
    "Transformer": "text",
    "Trunk": "trunk",
    "drawn": "text",
    "encode": "tokens",
    "normalised": "pixels",
    "pack": "tokens",
    "preprocess": "pixels",
    "resized": "trunk",
    "tokenize": "tokens",
}

__getattr__, __dir__ = door(__name__, _HOMES)
