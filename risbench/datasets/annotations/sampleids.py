"""The ids of many samples in one piece of memory: compared, sorted and found without a Python object for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .columns import Texts

_PIECE = 1 << 16  # ids handled together
_FEW = 1 << 12  # ids whose bytes are handled one by one: eight bytes of memory for each
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
        taken = np.zeros(len(places) + 1, np.int64)
        np.cumsum(start[places + 1] - start[places], out=taken[1:])
        found = np.empty(taken[-1], np.uint8)
        for first in range(0, len(places), _FEW):
            ends = taken[first : first + _FEW + 1]
            before = np.repeat(start[places[first : first + _FEW]] - ends[:-1], np.diff(ends))
            found[ends[0] : ends[-1]] = blob[np.arange(ends[0], ends[-1]) + before]
        return SampleIds(Texts(taken, found))

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

    def once(self) -> np.ndarray:
        """The places of all ids, each id once: of equal ones the last place, where the first one was. int64."""
        if not self.has_doubles():
            return np.arange(len(self))
        return np.array(list({ident: at for at, ident in enumerate(self)}.values()), dtype=np.int64)

    def places_in(self, other: SampleIds) -> np.ndarray:
        """The place of each id in other ids, which are all different: int64 ``(n,)``; -1 for one that is not there."""
        if self.same(other):
            return np.arange(len(self))
        widths = self._width(), other._width()
        if widths[0] is None or widths[1] is None or not len(other):
            known = {ident: place for place, ident in enumerate(other)}
            return np.array([known.get(ident, -1) for ident in self], dtype=np.int64)
        begins = self._beginning(), other._beginning()
        differs = (place for place, (one, two) in enumerate(zip(*begins, strict=False)) if one != two)
        cut = next(differs, min(map(len, begins))), max(widths[0], widths[1])
        theirs = other._filled(*cut)
        order = np.argsort(theirs, kind="stable")
        theirs = theirs[order]
        places = np.empty(len(self), np.int64)
        for first, ours in self._pieces(*cut):
            at = np.minimum(np.searchsorted(theirs, ours), len(other) - 1)
            places[first : first + len(ours)] = np.where(theirs[at] == ours, order[at], -1)
        return places

    def _beginning(self) -> bytes:
        """The bytes with which all ids begin, such as the name of their split; all, if there is one id only."""
        start, blob = self.texts.start, self.texts.blob
        if not len(self):
            return b""
        same = blob[start[0] : start[0] + int(np.diff(start).min())]
        for first in range(0, len(self), _PIECE):
            begins = start[first : min(first + _PIECE, len(self))]
            differs = (place for place in range(len(same)) if (blob[begins + place] != same[place]).any())
            same = same[: next(differs, len(same))]
        return same.tobytes()

    def _width(self) -> int | None:
        """How many bytes the longest id has; None if there are too many, or a zero byte, for keys of one width."""
        width = max(1, int(np.diff(self.texts.start).max(initial=1)))
        # A zero byte at the end would be lost.
        return width if width <= _WIDEST and self.texts.blob.all() else None

    def _keys(self) -> np.ndarray | None:
        """Bytes of one width that sort as the ids do; None if no such bytes keep their order, or are few enough."""
        width = self._width()
        return None if width is None else self._filled(len(self._beginning()), width)

    def _filled(self, skipped: int, width: int) -> np.ndarray:
        keys = np.empty(len(self), f"S{max(1, width - skipped)}")
        for first, piece in self._pieces(skipped, width):
            keys[first : first + len(piece)] = piece
        return keys

    def _pieces(self, skipped: int, width: int) -> Iterator[tuple[int, np.ndarray]]:
        """Keys of some ids at a time, with the place of the first: without the bytes that all share, padded with 0."""
        start, blob = self.texts.start, self.texts.blob
        width = max(width, skipped + 1)
        places = np.arange(width)
        for first in range(0, len(self), _FEW):
            part = start[first : first + _FEW + 1]
            keys = np.zeros((len(part) - 1, width), np.uint8)
            keys[places < np.diff(part)[:, None]] = blob[part[0] : part[-1]]
            yield first, np.ascontiguousarray(keys[:, skipped:]).view(f"S{width - skipped}")[:, 0]
