"""Compare expressions: equal apart from case, punctuation and spaces, or nearly equal in their words.

Two texts are *equal* if their words are equal, in the same order. Words are runs of letters and digits, in lower case,
after Unicode's compatibility normalisation. Two texts are *nearly equal* if Dice's coefficient of their bags of words,
without articles, is at least 0.8: ``2 |A ∩ B| / (|A| + |B|) >= 0.8``. So "left man" and "the man on the left" are
nearly equal; "man in red" and "man in blue" are not. Texts of five or more words may differ in one word. Misspelled
words count as different words.
"""

from __future__ import annotations

import re
import unicodedata

NEAR = (4, 5)  # as a ratio of whole numbers, so that exactly four fifths is near however 0.8 rounds
_WORDS = re.compile(r"[^\W_]+")
# The same for ASCII, five times as fast: letters in lower case, digits, and a space for all other characters.
_ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_ARTICLES = frozenset(("a", "an", "the"))


def normalised(text: str) -> str:
    """The words of an expression, in order and in lower case; equal texts have the same result."""
    if text.isascii():
        return " ".join(text.translate(_ASCII).split())
    return " ".join(_WORDS.findall(unicodedata.normalize("NFKC", text).casefold()))


def bag_of(words: str) -> tuple[str, ...]:
    """The words of `normalised` without articles, sorted; if there are only articles, all of them."""
    listed = words.split()
    return tuple(sorted([word for word in listed if word not in _ARTICLES] or listed))


def likeness(a: tuple[str, ...], b: tuple[str, ...]) -> float:
    """Dice's coefficient of two bags of words, in [0, 1]; 1 for two empty bags."""
    total = len(a) + len(b)
    return 2 * _shared(a, b) / total if total else 1.0


def are_near(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether two bags of words are nearly equal."""
    part, whole = NEAR
    least = part * (len(a) + len(b))
    # Bags of very different sizes need no counting.
    return a == b or (2 * whole * min(len(a), len(b)) >= least and 2 * whole * _shared(a, b) >= least)


def _shared(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """The number of words that two sorted bags have in common."""
    i = j = shared = 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            i, j, shared = i + 1, j + 1, shared + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return shared
