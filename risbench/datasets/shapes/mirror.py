"""Mirror a scene, and exchange the words that a mirror exchanges."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from ...errors import UsageError
from .layout import Corners
from .records import DrawnObject, Scene

_EXCHANGED = {
    "left-right": (("left", "right"), ("leftmost", "rightmost")),
    "top-bottom": (("top", "bottom"), ("above", "below"), ("highest", "lowest")),
}


def exchange(text: str, axis: str = "left-right") -> str:
    """A sentence about a picture as a sentence about its mirror image.

    Args:
        text: lower-case words with single spaces.
        axis: ``left-right`` or ``top-bottom``.

    Raises:
        UsageError: the axis has another name.
    """
    if axis not in _EXCHANGED:
        raise UsageError(f"a picture is mirrored {' or '.join(_EXCHANGED)}, not {axis!r}")
    other = {a: b for pair in _EXCHANGED[axis] for a, b in (pair, pair[::-1])}
    return " ".join(other.get(word, word) for word in text.split(" "))


def mirror(scene: Scene, axis: str = "left-right") -> Scene:
    """A scene with mirrored image, masks and boxes, and with sentences that are true of the mirrored image.

    Args:
        scene: any drawn scene.
        axis: ``left-right`` or ``top-bottom``, the sides that are exchanged.

    Raises:
        UsageError: the axis has another name.
    """
    expressions = {
        target: tuple(replace(one, text=exchange(one.text, axis)) for one in sentences)
        for target, sentences in scene.expressions.items()
    }
    captions = tuple(exchange(text, axis) for text in scene.captions)
    objects = tuple(_turned(thing, axis) for thing in scene.objects)
    return replace(
        scene,
        image=_flipped(scene.image, axis),
        objects=objects,
        expressions=MappingProxyType(expressions),
        captions=captions,
    )


def _flipped(array: np.ndarray, axis: str) -> np.ndarray:
    return np.ascontiguousarray(array[:, ::-1] if axis == "left-right" else array[::-1])


def _turned(thing: DrawnObject, axis: str) -> DrawnObject:
    height, width = thing.mask.shape

    def turned(box: Corners) -> Corners:
        x0, y0, x1, y1 = box
        return (width - x1, y0, width - x0, y1) if axis == "left-right" else (x0, height - y1, x1, height - y0)

    x, y = thing.mass
    return replace(
        thing,
        mask=_flipped(thing.mask, axis),
        box=turned(thing.box),
        whole=turned(thing.whole),
        mass=(2 * width - x, y) if axis == "left-right" else (x, 2 * height - y),
    )
