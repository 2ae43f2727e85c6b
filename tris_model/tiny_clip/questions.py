"""Questions about images of one object. All captions of a question mention the same attributes.

A tiny CLIP learns slowly from captions with different attributes: "a star" is true of many images with the caption "red
star", so a contrastive loss that treats them as negatives adds noise. If all captions of a question mention the same
attributes, two images have the same caption exactly if it is true of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RELATIONS = (
    ("left of", "right of"),
    ("to the left of", "to the right of"),
    ("above", "below"),
)
FREE_RELATIONS = ("in front of", "behind", "closest to")
ANCHOR_COLOURS = ("", "red ", "orange ", "yellow ", "green ", "cyan ", "blue ", "purple ", "pink ", "large ", "dotted ")
ANCHORS = ("circle", "square", "triangle", "star", "ring", "cross", "diamond", "moon")


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of an image.

    Attributes:
        shape, colour, size, pattern: the words for them.
        x, y: its centre as fractions of the image.
        across, down: its start and end in the whole image, as fractions.
    """

    shape: str
    colour: str
    size: str
    pattern: str
    x: float
    y: float
    across: tuple[float, float] = (0.0, 1.0)
    down: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Question:
    """The attributes that a caption mentions.

    Attributes:
        article: ``"the "``, ``"a "`` or nothing.
        noun: whether the caption names the shape, or just says "shape".
        size, pattern, colour: whether the caption names them; size ``"est"`` means largest and smallest.
        place: a template with ``{noun}`` and the words that vary; empty for captions without a place.
        axis: what the place depends on: ``x``, ``y``, ``corner`` or nothing (empty).
        sides: the words for the low and the high side.
        margin: smallest distance from the middle, as a fraction, at which a side is named.
    """

    article: str = ""
    noun: bool = True
    size: str = ""
    pattern: bool = False
    colour: bool = False
    place: str = "{noun}"
    axis: str = ""
    sides: tuple[str, str] = ("", "")
    margin: float = 0.08

    def answer(self, thing: Thing) -> str | None:
        """The caption of an object; None if the question does not apply to it."""
        if self.size and thing.size == "medium":
            return None
        size = {"": "", "adjective": thing.size, "est": {"large": "largest", "small": "smallest"}.get(thing.size, "")}
        words = (
            size[self.size],
            thing.pattern if self.pattern else "",
            thing.colour if self.colour else "",
            thing.shape if self.noun else "shape",
        )
        side = self._side(thing)
        if side is None:
            return None
        return self.article + side.replace("{noun}", " ".join(word for word in words if word))

    def _side(self, thing: Thing) -> str | None:
        if not self.axis:
            return self.place
        if self.axis == "corner":
            if max(abs(thing.x - 0.5), abs(thing.y - 0.5)) < 0.11:
                return "{noun} in the centre of the picture"
            across, down = _half(thing.x, 0.14), _half(thing.y, 0.14)
            if across is None or down is None:
                return None
            return self.place.replace("{side}", f"{('top', 'bottom')[down]} {('left', 'right')[across]}")
        half = _half(thing.x if self.axis == "x" else thing.y, self.margin)
        return None if half is None else self.place.replace("{side}", self.sides[half])


def _half(at: float, margin: float) -> int | None:
    return 0 if at < 0.5 - margin else 1 if at > 0.5 + margin else None


PLACES = {
    "x": (
        ("{noun} on the {side}", "left", "right"),
        ("{side} {noun}", "left", "right"),
        ("{side}most {noun}", "left", "right"),
    ),
    "y": (
        ("{noun} at the {side}", "top", "bottom"),
        ("{side} {noun}", "top", "bottom"),
        ("{side} {noun}", "highest", "lowest"),
    ),
    "corner": (("{noun} in the {side} corner", "", ""), ("{side} {noun}", "", "")),
}
ALONE = ("shape", "colour", "pattern", "size", "place")


def alone(draw: np.random.Generator) -> list[Question]:
    """Questions about one attribute each.

    Shapes and colours are learned first. In captions with them, patterns and heights hardly reduce the loss and are
    learned late. In captions without them, they are learned early.
    """
    return [_alone(draw, _article(draw), what) for what in ALONE]


def mixed(draw: np.random.Generator, places: float = 0.45, relations: float = 0.15) -> Question:
    """A question about several attributes together.

    Args:
        draw: the random generator.
        places: probability that it asks for a position.
        relations: probability that it asks for a relation to an object that the image need not show. A masked image
            shows only its subject; such captions teach that the first noun is the subject.
    """
    article = _article(draw)
    kind = draw.random()
    noun = bool(draw.random() < 0.85)
    placed = kind < places + relations
    # Without a place, some other attribute must distinguish the captions.
    colour = bool(draw.random() < (0.25 if placed else 0.4)) or (not noun and not placed and draw.random() < 0.7)
    pattern = bool(draw.random() < (0.12 if placed else 0.25)) or (not noun and not placed and not colour)
    size = str(draw.choice(("", "adjective", "est"), p=(0.85, 0.1, 0.05) if placed else (0.74, 0.16, 0.1)))
    attributes = {"article": article, "noun": noun, "size": size, "pattern": pattern, "colour": colour}
    if not placed:
        return Question(**attributes)
    if kind < places:
        return _placed(draw, str(draw.choice(("x", "x", "x", "y", "y", "y", "corner", "corner"))), attributes)
    anchor = f"the {draw.choice(ANCHOR_COLOURS)}{draw.choice(ANCHORS)}"
    way = draw.integers(6)
    if way < 4:
        sides = RELATIONS[min(way, 2)]
        axis = "y" if sides[0] == "above" else "x"
        return Question(**attributes, place=f"{{noun}} {{side}} {anchor}", axis=axis, sides=sides)
    return Question(**attributes, place=f"{{noun}} {draw.choice(FREE_RELATIONS)} {anchor}")


def _article(draw: np.random.Generator) -> str:
    return str(draw.choice(("the ", "", "a "), p=(0.55, 0.35, 0.1)))


def _alone(draw: np.random.Generator, article: str, what: str) -> Question:
    match what:
        case "shape":
            return Question(article)
        case "colour":
            return Question(article, noun=False, colour=True)
        case "pattern":
            return Question(article, noun=False, pattern=True)
        case "size":
            return Question(article, noun=False, size=str(draw.choice(("adjective", "est"))))
        case _:
            axis = str(draw.choice(("x", "y", "corner"), p=(0.4, 0.4, 0.2)))
            return _placed(draw, axis, {"article": article, "noun": False})


def _placed(draw: np.random.Generator, axis: str, attributes: dict) -> Question:
    ways = PLACES[axis]
    place, low, high = ways[draw.integers(len(ways))]
    return Question(**attributes, place=place, axis=axis, sides=(low, high))


def all_words() -> list[str]:
    """All words that questions can contain."""
    from risbench.datasets.shapes import COLOURS, PATTERNS, SHAPES, SIZES

    names = " ".join((*SHAPES, *COLOURS, *PATTERNS, *SIZES, *FREE_RELATIONS, *(w for pair in RELATIONS for w in pair)))
    rest = (
        "the a an shape on left right at top bottom in corner centre picture of and second from , "
        "leftmost rightmost highest lowest largest smallest"
    )
    return sorted({*names.split(), *rest.split()})
