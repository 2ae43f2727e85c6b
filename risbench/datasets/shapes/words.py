"""The attributes of objects, as the words that sentences use for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .forms import FORMS

SHAPES: tuple[str, ...] = tuple(FORMS)

# Red, green, blue of the body, and of its stripes, dots or checks: a tone of the same hue, so that a striped red
# object is only red.
COLOURS: Mapping[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = MappingProxyType(
    {
        "red": ((214, 36, 40), (255, 168, 158)),
        "orange": ((244, 130, 20), (140, 62, 0)),
        "yellow": ((246, 216, 40), (150, 120, 0)),
        "green": ((40, 158, 62), (168, 236, 160)),
        "cyan": ((40, 200, 208), (0, 92, 104)),
        "blue": ((36, 74, 212), (158, 192, 255)),
        "purple": ((124, 44, 170), (218, 168, 246)),
        "pink": ((248, 140, 190), (160, 36, 104)),
    }
)

PATTERNS: tuple[str, ...] = ("plain", "striped", "dotted", "checked")

# Radii in thousandths of the square root of the image's area. The ranges are a quarter apart. Sentences never say
# "medium"; a medium object counts as one that may be called small or large.
SIZES: Mapping[str, tuple[int, int]] = MappingProxyType({"small": (88, 105), "medium": (132, 150), "large": (190, 225)})

GENERIC = "shape"  # the noun that fits every object
