"""Finds samples by their ids, or by their sentences, without keeping the ids: a million take 16 MB instead of 200."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from .columns import Idents

_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DIGITS = 18  # of a number that fits 64 bits with any digits
_PIECE = 1 << 16  # ids that are made together


def ids_of(name: str, ref_id: Idents, sent_id: Idents, refs: np.ndarray, rows: np.ndarray) -> Iterator[str]:
    """The ids of a split's samples, in order, one after the other; see `SamplePlaces`."""
    for first in range(0, len(rows), _PIECE):
        pairs = zip(
            ref_id.listed(refs[first : first + _PIECE]), sent_id.listed(rows[first : first + _PIECE]), strict=True
        )
        yield from (f"{name}/{ref}/{sentence}" for ref, sentence in pairs)


class SamplePlaces:
    """The places of a split's samples by their ids, and by their sentences' ids alone.

    Args:
        name: the split's name.
        ref_id, sent_id: the columns of ids.
        refs, rows: the rows of each sample in them.
    """

    def __init__(self, name: str, ref_id: Idents, sent_id: Idents, refs: np.ndarray, rows: np.ndarray) -> None:
        self._start, self._ref_id, self._sent_id, self._refs, self._rows = f"{name}/", ref_id, sent_id, refs, rows

    def ident(self, place: int) -> str:
        """The id of the sample at a place."""
        return f"{self._start}{self._ref_id[int(self._refs[place])]}/{self._sent_id[int(self._rows[place])]}"

    def find(self, ident: str) -> int | None:
        """The place of the sample with an id; None if there is none."""
        refs = self._ref_id.numbers
        if refs is None or self._sent_id.numbers is None:
            return self._by_text.get(ident)
        if not isinstance(ident, str) or not ident.startswith(self._start):
            return None
        ref, _, sentence = ident.removeprefix(self._start).partition("/")
        if not (_NUMBER.fullmatch(ref) and _NUMBER.fullmatch(sentence)):
            return self._by_text.get(ident) if len(ref) > _DIGITS or len(sentence) > _DIGITS else None
        places = self._of_number(int(sentence))
        found = places[refs[self._refs[places]] == int(ref)]
        return int(found[0]) if len(found) else None

    def of_sentence(self, sent_id: str) -> Sequence[int]:
        """The places of the samples with a sentence's id, written as Python writes it, in the split's order."""
        if self._sent_id.numbers is None or len(sent_id) > _DIGITS:
            return self.by_sentence.get(sent_id, ())
        return self._of_number(int(sent_id)).tolist() if _NUMBER.fullmatch(sent_id) else ()

    def of_single_sentences(self, sent_ids: np.ndarray) -> np.ndarray:
        """The place of the one sample with each sentence's number, int64 ``(n,)``; -1 where none or several have it.

        Where the split's own sentences have other ids than numbers, it is -1 for all.
        """
        if self._sent_id.numbers is None or not len(self._rows):
            return np.full(len(sent_ids), -1, np.int64)
        order, in_order = self._by_number
        first, after = (np.searchsorted(in_order, sent_ids, side) for side in ("left", "right"))
        return np.where(after == first + 1, order[np.minimum(first, len(order) - 1)], -1)

    @cached_property
    def by_sentence(self) -> dict[str, list[int]]:
        """The places of each sentence's id as text; a dict of all, for what `of_sentence` cannot tell."""
        found: dict[str, list[int]] = {}
        for place, sentence in enumerate(self._sent_id.listed(self._rows)):
            found.setdefault(str(sentence), []).append(place)
        return found

    def _of_number(self, sentence: int) -> np.ndarray:
        order, in_order = self._by_number
        first, last = np.searchsorted(in_order, [sentence, sentence + 1]).tolist()
        return order[first:last]

    @cached_property
    def _by_number(self) -> tuple[np.ndarray, np.ndarray]:
        """The places in the order of their sentences' numbers, and these numbers."""
        assert self._sent_id.numbers is not None
        numbers = self._sent_id.numbers[self._rows]
        order = np.argsort(numbers, kind="stable")
        return order, numbers[order]

    @cached_property
    def _by_text(self) -> dict[str, int]:
        idents = ids_of(self._start[:-1], self._ref_id, self._sent_id, self._refs, self._rows)
        return {ident: at for at, ident in enumerate(idents)}
