"""``masks.jsonl`` with one prediction in each line, read lazily: an index of names, and each line when it is needed.

A million lines are indexed in a hundred bytes each, and none of their masks is kept.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..datasets.annotations.sampleids import SampleIds
from ..errors import DataError
from ..io import reading
from ..io.indexedlines import IndexedLines
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
        file, lines = _content(path)
        self._lines = IndexedLines(file)
        self.names = SampleIds.of(self._named(lines))
        if self.names.has_doubles():
            self._refuse_doubles()

    def _named(self, lines: Iterator[tuple[int, bytes]]) -> Iterator[str]:
        """The name of each line, whose place is noted."""
        for number, raw in self._lines.noted(lines):
            line = jsonlines.object_in(raw, self.path, number)
            name, beside = named(line, f"{self.path}, line {number}")
            if beside:
                self.beside[name] = beside
            if isinstance(line.get("cut"), str):
                self.cuts.add(line["cut"])
            yield name

    def _refuse_doubles(self) -> None:
        known: dict[str, int] = {}
        for place, name in enumerate(self.names):
            number = self._lines.number(place)
            if name in known:
                raise DataError(f"{self.path}: {name:.200} is there twice, in lines {known[name]} and {number}")
            known[name] = number

    def line(self, place: int) -> dict[str, Any]:
        """The parsed line of the name at a place."""
        return json.loads(self._lines[place])

    def task(self, place: int, image_id: int | str) -> StoredEntry:
        """What reads the prediction of the name at a place."""
        return StoredEntry(self._lines[place], f"{self.path}, line {self._lines.number(place)}")


def _content(path: Path) -> tuple[BinaryIO, Iterator[tuple[int, bytes]]]:
    """The bytes of a file of lines in UTF-8, for random access, and its lines with their numbers."""
    file = reading.open_lines(path)
    if file.read(2) in _WIDE:
        file.close()
        text = wide_text(path).encode()
        return io.BytesIO(text), enumerate(io.BytesIO(text), start=1)
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
