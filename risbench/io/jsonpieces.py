"""JSON objects whose long arrays are read in pieces, so that a file of hundreds of megabytes takes a few.

Parsed numbers take five times the memory of their text, and an instances.json is almost only numbers. So the file is
read block by block. A block of an array is cut between two objects: the place is guessed, and it is right if and only
if the text before it, in brackets, is an array, because JSON is read from left to right without looking ahead.

`orjson` parses such pieces twice as fast as the standard library. Where the two differ, the standard library decides:
it reads what `orjson` refuses (NaN, lone surrogates, deep nesting) and whole numbers that need more than 64 bits.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from . import reading
from .wrong_content import json_fault_in

try:
    from orjson import loads as _fast_loads  # pyright: ignore[reportMissingImports]
except ImportError:  # where it has no wheel
    _fast_loads = None

PIECE_BYTES = 1 << 19
_SPACE = rb"[ \t\n\r]*"
_BLANK = re.compile(_SPACE)
_NEXT_OBJECT = re.compile(_SPACE + b"," + _SPACE + rb"(?=\{)")
_AFTER_VALUE = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")
_AFTER_MEMBER = re.compile(r"[ \t\n\r]*[:,}]")
_CANDIDATES = 2  # places tried for a cut; further ones are between objects inside an object
_LOOKS = 64  # closing brackets looked at for a candidate
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19  # a whole number with fewer digits has 64 bits at most


class NotInPiecesError(Exception):
    """The file is broken or has an unusual form: read it whole, which says what is wrong."""


def read_in_pieces(path: Path, arrays: Mapping[str, Callable[[list[Any]], object]]) -> dict[str, Any]:
    """Read a JSON object in UTF-8.

    Args:
        path: the file.
        arrays: for some keys the function that takes their arrays, one list of consecutive values after the other.

    Returns:
        The other members. The values given and returned are those that `json.loads` makes.

    Raises:
        NotInPiecesError: the file is broken, is no object, or has no array under one of these keys, or two. Values may
            have been given to the functions before.
        OSError: the file cannot be read.
        DataError: it is not a regular file, or larger than a file of annotations can be.
    """
    reading.size_of_file(path, reading.ANNOTATION_BYTES, "a JSON file of annotations")
    with reading.open_to_read(path) as file:
        try:
            return _members(_Buffer(file), arrays)
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise NotInPiecesError from error


def _members(buffer: _Buffer, arrays: Mapping[str, Callable[[list[Any]], object]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    left = dict(arrays)
    buffer.take(b"{")
    while True:
        if buffer.first() != b'"':
            raise NotInPiecesError
        key = buffer.value()
        buffer.take(b":")
        if key in left:
            buffer.take(b"[")
            take = left.pop(key)
            for values in _pieces(buffer):
                take(values)
        elif key in arrays:
            raise NotInPiecesError  # a second time, and the last one counts
        else:
            members[key] = buffer.value()
        if buffer.first() == b"}":
            break
        buffer.take(b",")
    buffer.take(b"}")
    if left or buffer.first() != b"":
        raise NotInPiecesError
    return members


def _pieces(buffer: _Buffer) -> Iterator[list[Any]]:
    """The values of an array, up to its closing bracket."""
    if buffer.first() == b"]":
        buffer.take(b"]")
        return
    while True:
        buffer.fill(PIECE_BYTES)
        if (values := _objects(buffer)) is not None:
            yield values
            continue
        values, is_last = buffer.values()
        yield values
        if is_last:
            return


def _objects(buffer: _Buffer) -> list[Any] | None:
    """As many objects of an array as a piece has, if others follow; None if no cut is found."""
    data, start = buffer.data, buffer.at
    end, looks, tried = start + PIECE_BYTES, 0, 0
    while tried < _CANDIDATES and looks < _LOOKS and (end := data.rfind(b"}", start, end)) > start:
        looks += 1
        if (cut := _NEXT_OBJECT.match(data, end + 1)) is None:
            continue
        tried += 1
        try:
            values = _loads(b"[%b]" % data[start : end + 1])
        except ValueError:
            continue
        buffer.at = cut.end()
        return values
    return None


def _loads(text: bytes) -> Any:
    if _fast_loads is not None and _LONG not in text.translate(_DIGITS):
        try:
            return _fast_loads(text)
        except ValueError:
            pass
    return json.loads(text.decode("utf-8"))


class _Buffer:
    """A window on a file: ``data`` from the place ``at`` on is what was not taken yet."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # pyright: ignore[reportAttributeAccessIssue]
        self.data, self.at = file.read(PIECE_BYTES), 0
        if json_fault_in(self.data[:512]) is not None:
            raise NotInPiecesError
        if self.data.startswith(codecs.BOM_UTF8):
            self.at = len(codecs.BOM_UTF8)

    def fill(self, count: int) -> None:
        """Have some bytes in the window, if the file has as many."""
        if len(self.data) - self.at < count:
            self._more(count)

    def first(self) -> bytes:
        """The next character that is not a space, as one byte; it is not taken. Empty at the end of the file."""
        while True:
            found = _BLANK.match(self.data, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.data) or not self._more(1):
                return self.data[self.at : self.at + 1]

    def take(self, character: bytes) -> None:
        """Take the next character, which must be this one."""
        if self.first() != character:
            raise NotInPiecesError
        self.at += 1

    def value(self) -> Any:
        """Take the next value, as `json.loads` reads it; something follows it."""
        self.first()
        while True:
            text = self._text()
            try:
                found, end = self._scan(text, 0)
                if _AFTER_MEMBER.match(text, end) is not None:
                    self._skip(text, end)
                    return found
            except (StopIteration, json.JSONDecodeError):
                pass
            self._read_on()

    def values(self) -> tuple[list[Any], bool]:
        """Take values of an array one by one, with what follows each; whether the last was the array's last."""
        self.first()
        while True:
            text, at, found, ends = self._text(), 0, [], ""
            while ends != "]":
                try:
                    value, end = self._scan(text, at)
                except (StopIteration, json.JSONDecodeError):
                    break
                if (after := _AFTER_VALUE.match(text, end)) is None:
                    break
                found.append(value)
                at, ends = after.end(), after[1]
            if found:
                self._skip(text, at)
                return found, ends == "]"
            self._read_on()

    def _text(self) -> str:
        """The window's text, up to its last whole character."""
        return codecs.getincrementaldecoder("utf-8")().decode(self.data[self.at :])

    def _skip(self, text: str, count: int) -> None:
        self.at += count if text.isascii() else len(text[:count].encode())

    def _read_on(self) -> None:
        """Double the window, so that reading a long value again and again takes no longer than reading it thrice."""
        if not self._more(2 * (len(self.data) - self.at)):
            raise NotInPiecesError

    def _more(self, count: int) -> bool:
        """Let the window begin at its place, with ``count`` bytes or a piece; False at the end of the file."""
        kept = self.data[self.at :]
        read = self._file.read(max(count, PIECE_BYTES) - len(kept))
        self.data, self.at = kept + read, 0
        return bool(read)
