"""Drawn scenes: pictures of coloured shapes with sentences that are true of one object alone."""

from .mirror import exchange, mirror
from .records import DrawnObject, Expression, Scene
from .scene import draw_object, draw_scene

__all__ = ["DrawnObject", "Expression", "Scene", "draw_object", "draw_scene", "exchange", "mirror"]
