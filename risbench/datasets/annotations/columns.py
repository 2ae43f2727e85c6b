"""Columns of ids, texts and words, stored as one blob with offsets; cells are decoded one at a time.

Making a list of 142,000 Python strings takes longer than loading an index should take; loading a blob takes no time.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

Ident = int | str


def offsets_of(lengths: Iterable[int]) -> np.ndarray:
    """int64 ``(n + 1,)``: the start of each of n runs of these lengths, and the end of the last run."""
    return np.fromiter(accumulate(lengths, initial=0), np.int64)


def distinct(numbers: np.ndarray) -> int:
    """How many different numbers there are; `np.unique` of numpy 2.4 takes twenty times as long."""
    in_order = np.sort(numbers)
    return int(np.count_nonzero(in_order[1:] != in_order[:-1])) + min(len(numbers), 1)


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Strings as one UTF-8 blob (uint8) with int64 offsets ``(n + 1,)``."""

    start: np.ndarray
    blob: np.ndarray

    @classmethod
    def pack(cls, texts: Sequence[str]) -> Texts:
        """Make a column of strings; lone surrogates, which JSON can hold, are kept."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        return cls(offsets_of(map(len, encoded)), np.frombuffer(b"".join(encoded), np.uint8))

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, row: int) -> str:
        return self.blob[self.start[row] : self.start[row + 1]].tobytes().decode("utf-8", "surrogatepass")

    def listed(self, rows: np.ndarray) -> list[str]:
        """The strings of these rows; three times as fast as reading each separately."""
        whole, starts, ends = self.blob.tobytes(), self.start[rows].tolist(), self.start[rows + 1].tolist()
        return [whole[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=True)]

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to store."""
        return {"start": self.start, "blob": self.blob}


@dataclass(frozen=True, slots=True, eq=False)
class Idents:
    """Ids, each a number or a string as in the annotation: an int64 array if all are numbers, else JSON texts."""

    numbers: np.ndarray | None
    texts: Texts | None

    @classmethod
    def pack(cls, idents: Sequence[Ident]) -> Idents:
        """Make a column of ids."""
        if all(type(ident) is int for ident in idents) and all(-(2**63) <= ident < 2**63 for ident in idents):  # pyright: ignore[reportOperatorIssue]
            return cls(np.array(idents, np.int64), None)
        return cls(None, Texts.pack([json.dumps(ident) for ident in idents]))

    def __len__(self) -> int:
        return len(self.numbers) if self.numbers is not None else len(self.texts or ())

    def __getitem__(self, row: int) -> Ident:
        if self.numbers is not None:
            return int(self.numbers[row])
        assert self.texts is not None
        return json.loads(self.texts[row])

    def listed(self, rows: np.ndarray | None = None) -> list[Ident]:
        """The ids of these rows, or all ids."""
        if self.numbers is not None:
            return (self.numbers if rows is None else self.numbers[rows]).tolist()
        return [self[row] for row in (range(len(self)) if rows is None else rows)]

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to store."""
        return {"numbers": self.numbers} if self.numbers is not None else self.texts.arrays() if self.texts else {}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Idents:
        """Make a column from stored arrays."""
        return cls(arrays["numbers"], None) if "numbers" in arrays else cls(None, Texts(**arrays))


class IdentBuilder:
    """Makes a column of ids that come piece by piece; numbers of 64 bits take eight bytes each."""

    def __init__(self) -> None:
        self._numbers: array[int] | None = array("q")
        self._mixed: list[Ident] = []

    def add(self, idents: Sequence[Ident]) -> None:
        """Take the next ids."""
        if self._numbers is not None:
            try:
                numbers: list[Any] = list(idents)
                self._numbers.extend(array("q", numbers))
                return
            except (TypeError, OverflowError):
                self._mixed, self._numbers = [*self._numbers], None
        self._mixed.extend(idents)

    def listed(self) -> list[Ident]:
        """All ids."""
        return self._mixed if self._numbers is None else [*self._numbers]

    def idents(self) -> Idents:
        """The column."""
        return Idents.pack(self._mixed) if self._numbers is None else Idents(np.array(self._numbers, np.int64), None)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Strings that occur often (splits, categories, tags): int32 codes ``(n,)`` of a few texts; -1 is None."""

    code: np.ndarray
    texts: Texts

    @classmethod
    def pack(cls, words: Iterable[str | None]) -> Words:
        """Make a column of words."""
        codes: dict[str | None, int] = {}
        listed = [-1 if word is None else codes.setdefault(word, len(codes)) for word in words]
        return cls(np.array(listed, np.int32), Texts.pack([word for word in codes if word is not None]))

    def __len__(self) -> int:
        return len(self.code)

    def __getitem__(self, row: int) -> str | None:
        code = int(self.code[row])
        return None if code < 0 else self.texts[code]

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to store."""
        return {"code": self.code, **self.texts.arrays()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Any]) -> Words:
        """Make a column from stored arrays."""
        return cls(arrays["code"], Texts(arrays["start"], arrays["blob"]))
