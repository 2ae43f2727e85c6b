"""CLIP's byte-pair encoding of plain texts, without what open_clip's tokenizer imports and prepares for all others.

A plain text has printable ASCII characters alone and neither ``&`` nor ``<``: no entity to resolve, no broken Unicode
to repair, no special token. Nearly all expressions are plain. For them the tokens are those of OpenAI's tokenizer, and
neither ftfy nor regex is imported, which would take half a second.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

_FIRST = 33  # of OpenAI's table of bytes: "!" has id 0, and so on up to "~"
_LAST_OF_WORD = 256  # the same characters again, as the end of a word
_FIRST_MERGE = 512
_MERGES = 49152 - 256 - 2
_WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")
_KEPT = 1 << 16  # words whose tokens are remembered


def is_plain(text: str) -> bool:
    """Whether a text can be encoded here."""
    return text.isascii() and text.isprintable() and "&" not in text and "<" not in text


class PlainEncoder:
    """Encodes plain texts by a table of merges."""

    def __init__(self, merges: Mapping[str, int]):
        """Prepare.

        Args:
            merges: the rank of each pair of symbols, which are written with a blank between them.
        """
        self._merges = merges
        self._of_word = lru_cache(_KEPT)(self._merged)

    @classmethod
    def read(cls, file: Path) -> PlainEncoder:
        """Read OpenAI's file of merges, ``bpe_simple_vocab_16e6.txt.gz``; its first line is no merge.

        Raises:
            OSError: it cannot be read.
            ValueError: it has too few merges.
        """
        lines = gzip.decompress(file.read_bytes()).decode("utf-8").split("\n")[1 : 1 + _MERGES]
        if len(lines) < _MERGES:
            raise ValueError(f"{file} has {len(lines)} merges, not {_MERGES}")
        return cls({line: rank for rank, line in enumerate(lines)})

    def encode(self, text: str) -> list[int]:
        """The ids of a plain text, without start and end."""
        return [token for word in _WORDS.findall(text.lower()) for token in self._of_word(word)]

    def _merged(self, word: str) -> tuple[int, ...]:
        """The ids of a word: the pair of the lowest rank is merged everywhere, until no pair is in the table."""
        symbols = [*word[:-1], word[-1] + "</w>"]
        ids = [ord(letter) - _FIRST for letter in word]
        ids[-1] += _LAST_OF_WORD
        while len(symbols) > 1:
            pairs = [f"{left} {right}" for left, right in pairwise(symbols)]
            best = min(pairs, key=lambda pair: self._merges.get(pair, _MERGES))
            rank = self._merges.get(best)
            if rank is None:
                break
            place = 0
            while place < len(symbols) - 1:
                if f"{symbols[place]} {symbols[place + 1]}" == best:
                    symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
                    ids[place : place + 2] = [_FIRST_MERGE + rank]
                place += 1
        return tuple(ids)
