"""The ids of many samples in one piece of memory: compared, sorted and found without a Python object for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .columns import Texts

_PIECE = 1 << 16  # ids handled together
_WIDEST = 256  # bytes of an id up to which all are padded to one width


@dataclass(frozen=True, slots=True, eq=False)
class SampleIds:
    """Ids in some order; an id may occur twice.

    Attributes:
        texts: the ids as one UTF-8 blob with offsets.
    """

    texts: Texts

    @staticmethod
    def of(ids: Iterable[str]) -> SampleIds:
        """Of strings, which are taken one after the other."""
        left, parts = iter(ids), []
        while piece := list(islice(left, _PIECE)):
            parts.append(Texts.pack(piece))
        return SampleIds.joined(parts)

    @staticmethod
    def joined(parts: Sequence[Texts]) -> SampleIds:
        """Of pieces, in their order."""
        lengths = [np.diff(part.start) for part in parts]
        start = np.concatenate([[0], *lengths]).cumsum(dtype=np.int64) if parts else np.zeros(1, np.int64)
        blob = np.concatenate([part.blob for part in parts]) if parts else np.zeros(0, np.uint8)
        return SampleIds(Texts(start, blob))

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, at: int) -> str:
        return self.texts[at]

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _PIECE):
            yield from self.texts.listed(np.arange(first, min(first + _PIECE, len(self))))

    def same(self, other: SampleIds) -> bool:
        """Whether both are the same ids in the same order."""
        ours, theirs = self.texts, other.texts
        return np.array_equal(ours.start, theirs.start) and np.array_equal(ours.blob, theirs.blob)

    def take(self, places: np.ndarray) -> SampleIds:
        """The ids at some places."""
        start, blob = self.texts.start, self.texts.blob
        pieces = [places[first : first + _PIECE] for first in range(0, len(places), _PIECE)]
        parts = []
        for piece in pieces:
            lengths = start[piece + 1] - start[piece]
            ends = np.cumsum(lengths)
            where = np.arange(ends[-1]) + np.repeat(start[piece] - (ends - lengths), lengths)
            parts.append(Texts(np.concatenate(([0], ends)), blob[where]))
        return SampleIds.joined(parts)

    def order(self) -> np.ndarray:
        """The places in the order of the ids, as Python sorts strings; equal ids keep theirs. int64 ``(n,)``."""
        keys = self._keys()
        if keys is None:
            listed = list(self)
            return np.array(sorted(range(len(self)), key=listed.__getitem__), dtype=np.int64)
        # UTF-8 sorts as the code points do.
        return np.argsort(keys, kind="stable").astype(np.int64, copy=False)

    def has_doubles(self) -> bool:
        """Whether an id occurs twice."""
        keys = self._keys()
        if keys is None:
            return len(set(self)) < len(self)
        keys.sort()
        return bool((keys[1:] == keys[:-1]).any())

    def places_in(self, other: SampleIds) -> np.ndarray:
        """The place of each id in other ids, which are all different: int64 ``(n,)``; -1 for one that is not there."""
        if self.same(other):
            return np.arange(len(self))
        ours, theirs = self._keys(), other._keys()
        if ours is None or theirs is None or not len(other):
            known = {ident: place for place, ident in enumerate(other)}
            return np.array([known.get(ident, -1) for ident in self], dtype=np.int64)
        order = np.argsort(theirs, kind="stable")
        found = order[np.minimum(np.searchsorted(theirs, ours, sorter=order), len(other) - 1)]
        return np.where(theirs[found] == ours, found, -1)

    def _keys(self) -> np.ndarray | None:
        """The ids as bytes of one width, padded with zeros; None if that would not keep their order, or be too wide."""
        start, blob = self.texts.start, self.texts.blob
        width = max(1, int(np.diff(start).max(initial=1)))
        if width > _WIDEST or not blob.all():  # a zero byte at the end would be lost
            return None
        keys = np.zeros((len(self), width), np.uint8)
        for first in range(0, len(self), _PIECE):
            part = start[first : first + _PIECE + 1]
            lengths = np.diff(part)
            rows = np.repeat(np.arange(first, first + len(lengths)), lengths)
            keys[rows, np.arange(part[0], part[-1]) - np.repeat(part[:-1], lengths)] = blob[part[0] : part[-1]]
        return keys.view(f"S{width}")[:, 0]
