"""Drawn scenes: images of coloured shapes, with sentences that are true of only one object.

Three splits of them are fixed, written in REFER's form and read like RefCOCO. With them every part of the toolkit can
be tested without a download, and tiny models can be trained. Drawing uses only whole numbers, so that every machine
gets the same pixels.
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
