"""Drawn scenes: pictures of coloured shapes with sentences that are true of one object alone.

Three splits of them are frozen, written in REFER's form and read like RefCOCO. They make every part of the toolkit
testable without a download, and tiny models trainable. Drawn with whole numbers only, so that every machine gets the
same pixels.
"""

from .mirror import exchange, mirror
from .records import DrawnObject, Expression, Scene
from .scene import draw_object, draw_scene
from .splits import FREE_SEEDS, SPLITS, VERSION
from .words import COLOURS, PATTERNS, SHAPES, SIZES
from .write import folder_of, write_split

__all__ = [
    "COLOURS",
    "FREE_SEEDS",
    "PATTERNS",
    "SHAPES",
    "SIZES",
    "SPLITS",
    "VERSION",
    "DrawnObject",
    "Expression",
    "Scene",
    "draw_object",
    "draw_scene",
    "exchange",
    "folder_of",
    "mirror",
    "write_split",
]
