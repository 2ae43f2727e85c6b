"""Find the classes that an expression names and the one that it is about, by rules and word lists, without a model.

An expression is cut into pieces before each word that begins a further description ("on", "with", "holding", a comma).
In the first piece that names a class, the **last** class is the one that the expression is about, because English puts
the head noun last: "the man's blue umbrella on the bench" is about an umbrella, "a slice of pizza" about a pizza.
Longer names take precedence (a "hot dog" is not a dog). The annotated category is not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal

from risbench.datasets.shapes import SHAPES

from .class_lists import COCO, PLURALS, SYNONYMS, VOC

Vocabulary = Literal["coco", "voc", "shapes"]

_WORDS = (
    "in on at with without of to by near next behind under underneath beneath above below over beside besides between "
    "among against from for into onto off around across along inside outside toward towards through and or but who "
    "whose which that is are was has have while whom where as closest nearest "
    "holds eats rides wears sits stands looks plays walks"
)
_BREAKS = frozenset(_WORDS.split())
# "left man" and "man left of the dog": a word for a place ends a piece only after a class.
_PLACES = frozenset(["left", "right", "top", "bottom"])
_WORD = re.compile(r"[^\W_]+(?:['’]s\b)?|[,;:.()/]")


def names(vocabulary: Vocabulary) -> tuple[str, ...]:
    """The names of a vocabulary's classes: COCO's 80, Pascal VOC's 20 or the drawn world's shapes."""
    return {"coco": COCO, "voc": tuple(VOC.values()), "shapes": SHAPES}[vocabulary]


def head(text: str, vocabulary: Vocabulary = "coco") -> str | None:
    """The class that an expression is about; None if it names no class.

    >>> head("woman with a dog"), head("the dog's bowl"), head("thing on the left")
    ('person', 'bowl', None)
    """
    if vocabulary == "voc":  # whose owner may be named too, and be the only one of VOC's
        return VOC.get(head(text, "coco") or "")
    return next(iter(mentioned(text, vocabulary)), None)


def mentioned(text: str, vocabulary: Vocabulary = "coco") -> tuple[str, ...]:
    """All classes that an expression names, each once: first the one it is about, then the others in text order.

    Args:
        text: an expression; any text is allowed.
        vocabulary: ``coco``, ``voc`` or ``shapes``. VOC's classes are found through COCO's words, so a hot dog is not a
            dog there either. If the class that the text is about is not in VOC, only the other classes are returned.
    """
    if vocabulary == "voc":
        return tuple(VOC[name] for name in mentioned(text, "coco") if name in VOC)
    pieces: list[list[tuple[str, bool]]] = [[]]
    for name, owned in _named_in_order(text, vocabulary):
        if name is None:
            pieces.append([])
        else:
            pieces[-1].append((name, owned))
    first = next((piece for piece in pieces if piece), [])
    # "the man's umbrella" is not about the owner, unless no other class is named.
    subject = next((name for name, owned in reversed(first) if not owned), first[-1][0] if first else None)
    every = [name for piece in pieces for name, _ in piece]
    return tuple(dict.fromkeys([subject, *every])) if subject is not None else ()


def _named_in_order(text: str, vocabulary: Vocabulary) -> Iterator[tuple[str | None, bool]]:
    """The classes in text order, each with whether it is a possessive ("man's"); None where a piece ends."""
    words = _WORD.findall(text.lower().replace("’", "'"))
    bare = [word.removesuffix("'s") for word in words]
    phrases, longest = _phrases(vocabulary)
    at, begun = 0, False
    while at < len(words):
        for length in range(min(longest, len(words) - at), 0, -1):
            if (name := phrases.get(tuple(bare[at : at + length]))) and not _is_colour(bare, at, length):
                yield name, words[at + length - 1].endswith("'s")
                at, begun = at + length, True
                break
        else:
            if _ends(words[at], begun):
                yield None, False
                begun = False
            at += 1


def _ends(word: str, begun: bool) -> bool:
    if word in _PLACES or word.endswith("ing"):
        return begun  # "sitting man", but "man sitting on a bench"
    return word in _BREAKS or not word[0].isalnum()


def _is_colour(words: list[str], at: int, length: int) -> bool:
    """Whether "orange" is a colour: a noun follows it, or "in" or "wearing" precedes it."""
    if words[at : at + length] != ["orange"]:
        return False
    after = words[at + 1] if at + 1 < len(words) else ","
    return not _ends(after, True) or (at > 0 and words[at - 1] in ("in", "wearing"))


@cache
def _phrases(vocabulary: Vocabulary) -> tuple[dict[tuple[str, ...], str], int]:
    """Every name of a class, with plurals and synonyms, and the number of words of the longest name."""
    ways = {name: name for name in names(vocabulary)}
    if vocabulary == "coco":
        ways |= {other: name for name, others in SYNONYMS.items() for other in others.split(", ")}
    found = {}
    for way, name in ways.items():
        *front, last = way.replace("'s", "").split()
        for end in (last, _plural(last)):
            found[(*front, end)] = name
    return found, max(map(len, found))


def _plural(word: str) -> str:
    if word in PLURALS:
        return PLURALS[word]
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"
