"""``masks.jsonl`` with one prediction in each line, read lazily: an index of names, and each line when it is needed."""

from __future__ import annotations

import codecs
import io
import json
import mmap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DataError, MaskError
from ..io import reading
from ..records import Prediction
from ..results import jsonlines
from ..results.masklines import prediction_in
from .entries import named

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Lines:
    """Lines keyed by ``id`` or by ``sent_id``; ``cuts`` names the rules that cut masks in it from heats."""

    kind = "lines of masks"
    has_heats = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: dict[str, tuple[int, int, int]] = {}
        self.beside: dict[str, Mapping[str, str]] = {}
        self.cuts: set[str] = set()
        place = 0
        self._bytes, lines = _content(path)
        for number, raw in lines:
            if raw.strip():
                where = f"{path}, line {number}"
                line = jsonlines.object_in(raw, path, number)
                name, beside = named(line, where)
                if name in self.names:
                    first = self.names[name][2]
                    raise DataError(f"{path}: {name:.200} is there twice, in lines {first} and {number}")
                self.names[name] = (place, len(raw), number)
                if beside:
                    self.beside[name] = beside
                if isinstance(line.get("cut"), str):
                    self.cuts.add(line["cut"])
            place += len(raw)

    def line(self, name: str) -> dict[str, Any]:
        """The parsed line under a name."""
        start, length, _ = self.names[name]
        return json.loads(self._bytes[start : start + length])

    def task(self, name: str, image_id: int | str) -> Callable[[], Prediction | None]:
        """What reads the prediction under a name."""
        start, length, number = self.names[name]
        return partial(_of_line, self._bytes[start : start + length], f"{self.path}, line {number}")


def _of_line(raw: bytes, where: str) -> Prediction | None:
    line = json.loads(raw)
    return None if line.get("missing") else of_entry(line, where)


def of_entry(entry: Mapping[str, Any], where: str) -> Prediction:
    """The prediction of an entry.

    Raises:
        MaskError: it has none that can be read; ``where`` names the entry.
    """
    try:
        return prediction_in(entry)
    except MaskError as error:
        raise MaskError(f"{where}: {error}") from None


def _content(path: Path) -> tuple[bytes | mmap.mmap, Iterator[tuple[int, bytes]]]:
    """The bytes of a file of lines in UTF-8, for random access, and its lines with their numbers."""
    size = reading.size_of_file(path, 1 << 62, "a file of lines")
    if not size:
        return b"", iter(())
    with path.open("rb") as file:
        if file.read(2) in _WIDE:
            text = wide_text(path).encode()
            return text, enumerate(io.BytesIO(text), start=1)
        # Mapped into memory, so that lines can be read in any order and no file stays open.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), reading.lines_of(path)


def wide_text(path: Path) -> str:
    """The text of a file in UTF-16, which PowerShell's ``>`` writes.

    Raises:
        DataError: it is not UTF-16, or is too large.
    """
    try:
        return reading.read_bytes(path, reading.WHOLE_BYTES, "a file in UTF-16").decode("utf-16")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: neither UTF-8 nor whole UTF-16: {error}; save it as UTF-8") from None
