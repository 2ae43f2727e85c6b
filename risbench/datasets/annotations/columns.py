"""Columns of ids, texts and words, stored flat: one blob with offsets, decoded one cell at a time.

A list of 142,000 Python strings takes longer to make than an index may take to load; a blob takes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

Ident = int | str


def offsets_of(lengths: Iterable[int]) -> np.ndarray:
    """int64 ``(n + 1,)``: where each of n runs of these lengths starts, and where the last one ends."""
    return np.fromiter(accumulate(lengths, initial=0), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Strings as one UTF-8 blob (uint8) with int64 offsets ``(n + 1,)``."""

    start: np.ndarray
    blob: np.ndarray

    @classmethod
    def pack(cls, texts: Sequence[str]) -> Texts:
        """The column of these strings; a lone surrogate, which JSON can hold, is kept."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        return cls(offsets_of(map(len, encoded)), np.frombuffer(b"".join(encoded), np.uint8))

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, row: int) -> str:
        return self.blob[self.start[row] : self.start[row + 1]].tobytes().decode("utf-8", "surrogatepass")

    def listed(self, rows: np.ndarray) -> list[str]:
        """The strings of these rows; a third of the time that asking for each would take."""
        whole, starts, ends = self.blob.tobytes(), self.start[rows].tolist(), self.start[rows + 1].tolist()
        return [whole[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=True)]

    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored of it."""
        return {"start": self.start, "blob": self.blob}


@dataclass(frozen=True, slots=True, eq=False)
class Idents:
    """Ids, each a number or a string as the annotation has it: an int64 array of numbers, or else JSON texts."""

    numbers: np.ndarray | None
    texts: Texts | None

    @classmethod
    def pack(cls, idents: Sequence[Ident]) -> Idents:
        """The column of these ids."""
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
        """The ids of these rows, or all of them."""
        if self.numbers is not None:
            return (self.numbers if rows is None else self.numbers[rows]).tolist()
        return [self[row] for row in (range(len(self)) if rows is None else rows)]

    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored of it."""
        return {"numbers": self.numbers} if self.numbers is not None else self.texts.arrays() if self.texts else {}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Idents:
        """The column of what was stored."""
        return cls(arrays["numbers"], None) if "numbers" in arrays else cls(None, Texts(**arrays))


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Strings that recur (splits, categories, tags): int32 codes ``(n,)`` into a few texts; -1 is None."""

    code: np.ndarray
    texts: Texts

    @classmethod
    def pack(cls, words: Iterable[str | None]) -> Words:
        """The column of these words."""
        codes: dict[str | None, int] = {}
        listed = [-1 if word is None else codes.setdefault(word, len(codes)) for word in words]
        return cls(np.array(listed, np.int32), Texts.pack([word for word in codes if word is not None]))

    def __len__(self) -> int:
        return len(self.code)

    def __getitem__(self, row: int) -> str | None:
        code = int(self.code[row])
        return None if code < 0 else self.texts[code]

    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored of it."""
        return {"code": self.code, **self.texts.arrays()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Any]) -> Words:
        """The column of what was stored."""
        return cls(arrays["code"], Texts(arrays["start"], arrays["blob"]))
