"""Reads a drawn scene's sentences with a grammar of its own, from the annotations alone, and finds whom they fit.

Nothing here comes from the generator. Every sentence is read in several ways that a reasonable person might choose:
the middle of an object is that of its box or its centre of mass; "small" takes in the medium or not; a side is a half
of the picture or the end of a row; near is by middles or by gaps. A sentence is good when every reading finds the
target and no other object.
"""

import math
import re
from itertools import product

import numpy as np

from risbench.masks import decode

SHAPES = {1: "circle", 2: "square", 3: "triangle", 4: "star", 5: "ring", 6: "cross", 7: "diamond", 8: "moon"}
NOUNS = {*SHAPES.values(), "shape"}
SIZES, PATTERNS = {"small", "large"}, {"plain", "striped", "dotted", "checked"}
COLOURS = {"red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink"}
LINKS = r"to the left of|left of|to the right of|right of|above|below|closest to|in front of|behind"
ENDS = {"left": (0, 1), "right": (0, -1), "top": (1, 1), "bottom": (1, -1)}
MOST = {"leftmost": "left", "rightmost": "right", "highest": "top", "lowest": "bottom"}


class Thing:
    def __init__(self, annotation):
        x, y, w, h = annotation["bbox"]
        self.id, self.box, self.area = annotation["id"], (x, y, x + w, y + h), annotation["area"]
        self.longest, self.depth = max(w, h), annotation["depth"]
        self.shape = SHAPES[annotation["category_id"]]
        self.words = {self.shape, "shape", annotation["colour"], annotation["pattern"], annotation["size"]}
        self.size = annotation["size"]
        rows, columns = np.nonzero(decode(annotation["segmentation"]))
        self.middle = {
            "box": (x + w / 2, y + h / 2),
            "mass": (float(columns.mean()) + 0.5, float(rows.mean()) + 0.5),
        }


def fitting(words, things, generous):
    """The things that a noun phrase without article fits."""
    assert words[-1] in NOUNS, words
    assert {*words[:-1]} <= SIZES | PATTERNS | COLOURS, words
    assert len({*words}) == len(words)

    def fits(thing):
        size = {word for word in words if word in SIZES}
        wanted = {*words} - size
        return wanted <= thing.words and (not size or size <= thing.words or (generous and thing.size == "medium"))

    return [thing for thing in things if fits(thing)]


def parse(text):
    """Noun phrase, kind of statement, and what it is made with."""
    text = text.removeprefix("the ")
    if found := re.fullmatch(rf"(.+?) ({LINKS}) the (.+)", text):
        phrase, link, anchor = found.groups()
        return phrase.split(), "link", (link.removeprefix("to the "), anchor.split())
    if found := re.fullmatch(r"second (.+) from the (left|right|top|bottom)", text):
        return found[1].split(), "second", found[2]
    if found := re.fullmatch(r"(.+) in the centre of the picture", text):
        return found[1].split(), "centre", None
    if found := re.fullmatch(r"(.+) in the (top|bottom) (left|right) corner", text):
        return found[1].split(), "corner", (found[2], found[3])
    if found := re.fullmatch(r"(top|bottom) (left|right) (.+)", text):
        return found[3].split(), "corner", (found[1], found[2])
    if found := re.fullmatch(r"(.+) (?:on|at) the (left|right|top|bottom)", text):
        return found[1].split(), "side", found[2]
    if found := re.fullmatch(r"(left|right|top|bottom) (.+)", text):
        return found[2].split(), "side", found[1]
    words = text.split()
    if words[0] in MOST:
        return words[1:], "most", MOST[words[0]]
    if words[0] in ("largest", "smallest"):
        return words[1:], "extent", words[0]
    return words, "plain", None


def readings(text, things, height, width):
    """For every way of reading a sentence: its name, and the ids of the objects it fits."""
    words, kind, made_with = parse(text)
    for generous, middle in product((False, True), ("box", "mass")):
        candidates = fitting(words, things, generous)
        for name, found in _read(kind, made_with, candidates, things, (width, height), generous, middle):
            yield f"{kind} {name} {middle} {generous}", {thing.id for thing in found}


def _read(kind, made_with, candidates, things, lengths, generous, middle):
    def along(thing, end):  # 0 at that end of the picture, 1 at the other
        axis, sign = ENDS[end]
        share = thing.middle[middle][axis] / lengths[axis]
        return share if sign > 0 else 1 - share

    def edge(thing, end):
        axis, sign = ENDS[end]
        return thing.box[axis] if sign > 0 else -thing.box[axis + 2]

    if kind == "plain":
        yield "fits", candidates
    elif kind == "extent":
        sign = -1 if made_with == "largest" else 1
        yield "area", sorted(candidates, key=lambda thing: sign * thing.area)[:1]
        yield "length", sorted(candidates, key=lambda thing: sign * thing.longest)[:1]
    elif kind == "side":
        yield "half", [thing for thing in candidates if along(thing, made_with) < 0.5]
        yield "end", sorted(candidates, key=lambda thing: along(thing, made_with))[:1]
        yield "edge", sorted(candidates, key=lambda thing: edge(thing, made_with))[:1]
    elif kind == "most":
        yield "end", sorted(candidates, key=lambda thing: along(thing, made_with))[:1]
        yield "edge", sorted(candidates, key=lambda thing: edge(thing, made_with))[:1]
    elif kind == "second":
        yield "row", sorted(candidates, key=lambda thing: along(thing, made_with))[1:2]
    elif kind == "corner":
        quarter = [thing for thing in candidates if all(along(thing, end) < 0.5 for end in made_with)]
        yield "quarter", quarter
        yield "nearest", sorted(candidates, key=lambda thing: math.hypot(*(along(thing, e) for e in made_with)))[:1]
    elif kind == "centre":
        off = {thing.id: [abs(along(thing, end) - 0.5) for end in ("left", "top")] for thing in candidates}
        yield "within", [thing for thing in candidates if max(off[thing.id]) < 0.2]
        yield "nearest", sorted(candidates, key=lambda thing: math.hypot(*off[thing.id]))[:1]
    else:
        link, anchor_words = made_with
        anchors = fitting(anchor_words, things, generous)
        if len(anchors) != 1:
            yield "anchor", []
            return
        yield from _linked(link, [thing for thing in candidates if thing is not anchors[0]], anchors[0], middle)


def _linked(link, candidates, anchor, middle):
    def gap(thing):
        across = max(anchor.box[0] - thing.box[2], thing.box[0] - anchor.box[2], 0)
        return math.hypot(across, max(anchor.box[1] - thing.box[3], thing.box[1] - anchor.box[3], 0))

    x, y = anchor.middle[middle]
    way = {thing.id: (thing.middle[middle][0] - x, thing.middle[middle][1] - y) for thing in candidates}
    direction = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
    if link in direction:
        a, b = direction[link]
        forth = {key: a * dx + b * dy for key, (dx, dy) in way.items()}
        yield "at all", [thing for thing in candidates if forth[thing.id] > 0]
        yield "mainly", [t for t in candidates if forth[t.id] > 0.99 * abs(way[t.id][0] * b + way[t.id][1] * a)]
    elif link == "closest to":
        yield "middles", sorted(candidates, key=lambda thing: math.hypot(*way[thing.id]))[:1]
        yield "gaps", sorted(candidates, key=gap)[:1]
    else:
        yield "depth", [t for t in candidates if gap(t) == 0 and (t.depth > anchor.depth) == (link == "in front of")]
        yield "touching", [thing for thing in candidates if gap(thing) == 0]


def form_of(text):
    """The form of a sentence, from its words."""
    words, kind, _ = parse(text)
    if kind in ("plain", "extent"):
        return "attribute"
    if len(words) > 1:
        return "combined"
    return "relation" if kind == "link" else "position"


def is_ambiguous(text, target_id, things):
    """Whether the noun phrase alone (in an attribute sentence the noun) fits another object."""
    words, kind, _ = parse(text)
    noun_phrase = words[-1:] if kind in ("plain", "extent") else words
    return any(thing.id != target_id for thing in fitting(noun_phrase, things, generous=False))
