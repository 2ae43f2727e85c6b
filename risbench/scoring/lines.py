"""``masks.jsonl`` with one prediction in each line, read lazily: an index of names, and each line when it is needed.

A million lines are indexed in a hundred bytes each, and none of their masks is kept.
"""

from __future__ import annotations

import codecs
import io
import json
import weakref
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..datasets.annotations.sampleids import SampleIds
from ..errors import DataError
from ..io import reading
from ..results import jsonlines
from .entries import StoredEntry, named

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Lines:
    """Lines keyed by ``id`` or by ``sent_id``; ``cuts`` names the rules that cut masks in it from heats."""

    kind = "lines of masks"
    has_heats = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.beside: dict[str, Mapping[str, str]] = {}
        self.cuts: set[str] = set()
        self._starts, self._lengths, self._numbers = array("q"), array("q"), array("q")
        self._file, lines = _content(path)
        weakref.finalize(self, self._file.close)
        self.names = SampleIds.of(self._named(lines))
        if self.names.has_doubles():
            self._refuse_doubles()

    def _named(self, lines: Iterator[tuple[int, bytes]]) -> Iterator[str]:
        """The name of each line, whose place is noted."""
        place = 0
        for number, raw in lines:
            if raw.strip():
                line = jsonlines.object_in(raw, self.path, number)
                name, beside = named(line, f"{self.path}, line {number}")
                self._starts.append(place)
                self._lengths.append(len(raw))
                self._numbers.append(number)
                if beside:
                    self.beside[name] = beside
                if isinstance(line.get("cut"), str):
                    self.cuts.add(line["cut"])
                yield name
            place += len(raw)

    def _refuse_doubles(self) -> None:
        known: dict[str, int] = {}
        for name, number in zip(self.names, self._numbers, strict=True):
            if name in known:
                raise DataError(f"{self.path}: {name:.200} is there twice, in lines {known[name]} and {number}")
            known[name] = number

    def line(self, place: int) -> dict[str, Any]:
        """The parsed line of the name at a place."""
        return json.loads(self._raw(place))

    def task(self, place: int, image_id: int | str) -> StoredEntry:
        """What reads the prediction of the name at a place."""
        return StoredEntry(self._raw(place), f"{self.path}, line {self._numbers[place]}")

    def _raw(self, place: int) -> bytes:
        self._file.seek(self._starts[place])
        return self._file.read(self._lengths[place])


def _content(path: Path) -> tuple[BinaryIO, Iterator[tuple[int, bytes]]]:
    """The bytes of a file of lines in UTF-8, for random access, and its lines with their numbers."""
    size = reading.size_of_file(path, 1 << 62, "a file of lines")
    if not size:
        return io.BytesIO(), iter(())
    file = path.open("rb")
    if file.read(2) in _WIDE:
        file.close()
        text = wide_text(path).encode()
        return io.BytesIO(text), enumerate(io.BytesIO(text), start=1)
    # Read and not mapped into memory: pages of a mapping count as memory of this process.
    return file, reading.lines_of(path)


def wide_text(path: Path) -> str:
    """The text of a file in UTF-16, which PowerShell's ``>`` writes.

    Raises:
        DataError: it is not UTF-16, or is too large.
    """
    try:
        return reading.read_bytes(path, reading.WHOLE_BYTES, "a file in UTF-16").decode("utf-16")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: neither UTF-8 nor whole UTF-16: {error}; save it as UTF-8") from None
