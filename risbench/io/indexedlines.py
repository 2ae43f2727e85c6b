"""The lines of a file, each read again where it is needed: a line takes 24 bytes, however long it is."""

from __future__ import annotations

import weakref
from array import array
from collections.abc import Iterable, Iterator
from typing import BinaryIO


class IndexedLines:
    """The lines that are not blank, by their places among these.

    Args:
        file: the bytes of the file, which is read and not mapped into memory: pages of a mapping count as memory of the
            process. It is closed when nothing refers to the index any more.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._starts, self._lengths, self._numbers = array("q"), array("q"), array("q")
        weakref.finalize(self, file.close)

    def noted(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Those of all the file's lines that are not blank, with their numbers; their places are noted."""
        start = 0
        for number, raw in lines:
            if raw.strip():
                self._starts.append(start)
                self._lengths.append(len(raw))
                self._numbers.append(number)
                yield number, raw
            start += len(raw)

    def __getitem__(self, place: int) -> bytes:
        """The line at a place."""
        self._file.seek(self._starts[place])
        return self._file.read(self._lengths[place])

    def number(self, place: int) -> int:
        """The number in the file of the line at a place, counted from 1."""
        return self._numbers[place]
