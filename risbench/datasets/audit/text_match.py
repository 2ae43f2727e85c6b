"""When two expressions are the same: equal but for case, punctuation and spaces, or nearly the same words.

Two texts are *equal* if their words are, in order: runs of letters and digits after Unicode's compatibility forms were
undone, in lower case. They are *nearly equal* if, articles left out and order aside, the words that they share make up
at least four fifths of both together (Dice's coefficient of the two bags of words, ``2 |A ∩ B| / (|A| + |B|) >= 0.8``).
So "left man" and "the man on the left" are nearly equal, "man in red" and "man in blue" are not; from five words on one
word may differ. Misspellings count as other words.
"""

from __future__ import annotations

import re
import unicodedata

NEAR = (4, 5)  # as a ratio of whole numbers, so that exactly four fifths is near however 0.8 rounds
_WORDS = re.compile(r"[^\W_]+")
# The same for ASCII, in a fifth of the time: letters in lower case, digits, and a space for all else.
_ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_ARTICLES = frozenset(("a", "an", "the"))


def normalised(text: str) -> str:
    """The words of an expression, in order and in lower case; equal for equal texts."""
    if text.isascii():
        return " ".join(text.translate(_ASCII).split())
    return " ".join(_WORDS.findall(unicodedata.normalize("NFKC", text).casefold()))


def bag_of(words: str) -> tuple[str, ...]:
    """The words of `normalised` without articles, sorted; of articles alone, all of them."""
    listed = words.split()
    return tuple(sorted([word for word in listed if word not in _ARTICLES] or listed))


def likeness(a: tuple[str, ...], b: tuple[str, ...]) -> float:
    """Dice's coefficient of two bags of words, in [0, 1]; two empty ones are alike."""
    total = len(a) + len(b)
    return 2 * _shared(a, b) / total if total else 1.0


def are_near(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether two bags of words are nearly equal."""
    part, whole = NEAR
    least = part * (len(a) + len(b))
    # Bags too unlike in size need no counting.
    return a == b or (2 * whole * min(len(a), len(b)) >= least and 2 * whole * _shared(a, b) >= least)


def _shared(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """How many words two sorted bags have in common."""
    i = j = shared = 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            i, j, shared = i + 1, j + 1, shared + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return shared
