"""Finds samples by their ids without keeping the ids: a million of them take 16 MB instead of 200."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from .columns import Idents

_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")


_PIECE = 1 << 16  # ids that are made together


def ids_of(name: str, ref_id: Idents, sent_id: Idents, refs: np.ndarray, rows: np.ndarray) -> Iterator[str]:
    """The ids of a split's samples, in order, one after the other; see `SamplePlaces`."""
    for first in range(0, len(rows), _PIECE):
        pairs = zip(
            ref_id.listed(refs[first : first + _PIECE]), sent_id.listed(rows[first : first + _PIECE]), strict=True
        )
        yield from (f"{name}/{ref}/{sentence}" for ref, sentence in pairs)


class SamplePlaces:
    """The places of a split's samples by their ids.

    Args:
        name: the split's name.
        ref_id, sent_id: the columns of ids.
        refs, rows: the rows of each sample in them.
    """

    def __init__(self, name: str, ref_id: Idents, sent_id: Idents, refs: np.ndarray, rows: np.ndarray) -> None:
        self._start, self._ref_id, self._sent_id, self._refs, self._rows = f"{name}/", ref_id, sent_id, refs, rows

    def find(self, ident: str) -> int | None:
        """The place of the sample with an id; None if there is none."""
        refs, sentences = self._ref_id.numbers, self._sent_id.numbers
        if refs is None or sentences is None:
            return self._by_text.get(ident)
        if not isinstance(ident, str) or not ident.startswith(self._start):
            return None
        ref, _, sentence = ident.removeprefix(self._start).partition("/")
        if not (_NUMBER.fullmatch(ref) and _NUMBER.fullmatch(sentence)):
            return self._by_text.get(ident) if len(ref) > 18 or len(sentence) > 18 else None
        order, in_order = self._by_sentence
        first, last = np.searchsorted(in_order, [int(sentence), int(sentence) + 1]).tolist()
        places = order[first:last]
        found = places[refs[self._refs[places]] == int(ref)]
        return int(found[0]) if len(found) else None

    @cached_property
    def _by_sentence(self) -> tuple[np.ndarray, np.ndarray]:
        """The places in the order of their sentences' numbers, and these numbers."""
        assert self._sent_id.numbers is not None
        numbers = self._sent_id.numbers[self._rows]
        order = np.argsort(numbers, kind="stable")
        return order, numbers[order]

    @cached_property
    def _by_text(self) -> dict[str, int]:
        pairs = zip(self._ref_id.listed(self._refs), self._sent_id.listed(self._rows), strict=True)
        return {f"{self._start}{ref}/{sentence}": at for at, (ref, sentence) in enumerate(pairs)}
