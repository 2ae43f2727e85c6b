"""Files with one JSON object per line that survive a kill: append, read, and remove incomplete lines."""

from __future__ import annotations

import json
import os
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..datasets.annotations.sampleids import SampleIds
from ..errors import DataError, RisbenchError
from ..io import atomic, plainfiles, reading

_BLOCK = 1 << 20
_LINES = 1 << 13  # whose places are Python's numbers at once


def read(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with their line numbers, counted from 1.

    Raises:
        DataError: the file is absent, or a line is not a JSON object or too long; the message has its number.
    """
    for number, raw in reading.lines_of(path):
        if raw.strip():
            yield number, object_in(raw, path, number)


def ids_in(path: Path) -> Iterator[str]:
    """The id of each line of a file; for a line without one, a text that is no id.

    Raises:
        DataError: as `read`.
    """
    for number, raw in reading.lines_of(path):
        if raw.strip():
            yield _id_in(raw, path, number)


def _id_in(raw: bytes, path: Path, number: int) -> str:
    ident = object_in(raw, path, number).get("id") if raw.strip() else None
    return ident if isinstance(ident, str) else "\0"


def object_in(raw: bytes, path: Path, number: int) -> dict[str, Any]:
    """Parse the object of one line.

    Raises:
        DataError: the line is not a JSON object; the message has its number.
    """
    try:
        found = json.loads(raw, object_pairs_hook=without_repeats)
    except (ValueError, RecursionError) as error:
        reason = "zero bytes in it, as in UTF-16: save the file as UTF-8" if b"\0" in raw else str(error)
        raise DataError(f"{path}, line {number}: not JSON: {reason}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}, line {number}: a JSON object is expected, not {type(found).__name__}")
    return found


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's keys and values as a dict; for `json.loads`, which would silently use the last of two values.

    Raises:
        ValueError: a key occurs twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key '{twice:.80}' is there twice in one object")
    return found


def cut_half_line(path: Path) -> None:
    """Remove a last line without newline, which a killed process leaves; an absent file stays absent."""
    try:
        with plainfiles.open_to_write(path, "update") as file:
            size = end = file.seek(0, os.SEEK_END)
            kept = 0
            while end > 0 and not kept:
                start = max(0, end - 65536)
                file.seek(start)
                place = file.read(end - start).rfind(b"\n")
                kept = start + place + 1 if place >= 0 else 0
                end = start
            if kept < size:
                file.truncate(kept)
    except FileNotFoundError:
        return
    except OSError as error:
        raise full(path, error) from error


def append(path: Path, lines: Iterable[str]) -> None:
    """Append all lines or none; only a kill can leave an incomplete line, which the next opening removes."""
    try:
        with plainfiles.open_to_write(path, "append") as file:
            data = encoded("".join(line + "\n" for line in lines))
            before = file.seek(0, os.SEEK_END)
            try:
                _write_all(file, data)
            except BaseException:
                # An incomplete line would become a broken line in the middle of the file when another follows.
                file.truncate(before)
                raise
    except OSError as error:
        raise full(path, error) from error


def put_in_order(path: Path, ids: SampleIds) -> None:
    """Rewrite a file of lines with ids in a given order; of several lines with the same id the last is kept.

    Raises:
        DataError: a line is broken (the message has its number), or an id has no line.
    """
    with plainfiles.open_to_read(path) as file:
        lengths = array("q")
        found = SampleIds.of(_ids_of(file, path, lengths))
        kept = found.once()
        places = ids.places_in(found if len(kept) == len(found) else found.take(kept))
        if (places < 0).any():
            raise DataError(f"{path}: has no line for {ids[int(np.argmax(places < 0))]}")
        ends = np.cumsum(lengths, dtype=np.int64)
        try:
            atomic.replace(path, lambda out: _copy_lines(file, out, _places(ends, kept[places])))
        except OSError as error:
            raise full(path, error) from error


def join(files: Sequence[Path], path: Path) -> None:
    """Write the lines of some files, one file after the other, into one.

    Raises:
        DataError: one of them is not a regular file.
    """

    def write(out: BinaryIO) -> None:
        for file in files:
            with plainfiles.open_to_read(file) as source:
                shutil.copyfileobj(source, out, _BLOCK)

    try:
        atomic.replace(path, write)
    except OSError as error:
        raise full(path, error) from error


def reorder(path: Path, turn: np.ndarray) -> None:
    """Rewrite a file of lines in another order; one that already has it stays as it is.

    Args:
        path: the file, each line with its end.
        turn: the places of the lines in the new order, int64 ``(n,)``.

    Raises:
        DataError: it does not have so many lines, so another program wrote to it.
    """
    with plainfiles.open_to_read(path) as file:
        ends = _line_ends(file)
        if len(ends) != len(turn):
            raise DataError(f"{path}: has {len(ends)} lines in place of {len(turn)}: did another program write to it?")
        if (turn[1:] > turn[:-1]).all():
            return
        try:
            atomic.replace(path, lambda out: _copy_lines(file, out, _places(ends, turn)))
        except OSError as error:
            raise full(path, error) from error


def _ids_of(file: BinaryIO, path: Path, lengths: array[int]) -> Iterator[str]:
    """The id of each line, whose length is noted."""
    for number, raw in enumerate(file, start=1):
        lengths.append(len(raw))
        yield _id_in(raw, path, number)


def _places(ends: np.ndarray, turn: np.ndarray) -> Iterator[tuple[int, int]]:
    """The start and the length of some lines in another order, of a file whose lines end there."""
    for first in range(0, len(turn), _LINES):
        some = turn[first : first + _LINES]
        starts = np.where(some > 0, ends[some - 1], 0)
        yield from zip(starts.tolist(), (ends[some] - starts).tolist(), strict=True)


def _line_ends(file: BinaryIO) -> np.ndarray:
    """Where each line ends, behind its newline: int64 ``(n,)``."""
    found, place = [np.zeros(0, np.int64)], 0
    while block := file.read(_BLOCK):
        found.append(place + 1 + np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")))
        place += len(block)
    return np.concatenate(found)


def _copy_lines(file: BinaryIO, out: BinaryIO, places: Iterable[tuple[int, int]]) -> None:
    for start, length in places:
        file.seek(start)
        out.write(file.read(length))


def encoded(text: str) -> bytes:
    """A text as UTF-8; a lone surrogate, which stands for a byte of a path that is not UTF-8, as JSON's ``\\udcff``.

    Half a character cannot be written in UTF-8. As an escape it reads back from JSON as what it was, so that such a
    path still opens its file.
    """
    return text.encode("utf-8", "backslashreplace")


def replace(path: Path, text: str) -> None:
    """Write a text completely or not at all."""
    replace_bytes(path, encoded(text))


def replace_bytes(path: Path, content: bytes, *, sweep: bool = True) -> None:
    """Write a file that a user named; see `replace_with`."""
    replace_with(path, lambda file: file.write(content), sweep=sweep)


def replace_with(path: Path, write: Callable[[BinaryIO], object], *, sweep: bool = True) -> None:
    """Write a file that a user named, completely or not at all; a device or a pipe gets the content directly.

    Args:
        path: the file; its folder is created.
        write: puts the content into an open file.
        sweep: remove drafts of this file from killed processes; this reads the whole folder.

    Raises:
        RisbenchError: the file cannot be written; it is named, and no draft is left.
    """
    try:
        is_plain = path.is_file() or not path.exists()
        if sweep and is_plain and path.parent.is_dir():
            atomic.sweep_parts(path.parent, path.name)
        atomic.write_whole(path, write, durable=True)
    except OSError as error:
        raise full(path, error) from error


def replace_own(path: Path, content: str | bytes) -> None:
    """Write a file of a run, completely or not at all; an existing file or link of that name is replaced."""
    data = encoded(content) if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace(path, lambda file: file.write(data))
    except OSError as error:
        raise full(path, error) from error


def _write_all(file: BinaryIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def full(path: Path, error: OSError) -> RisbenchError:
    """The error of a failed write, usually for lack of space."""
    return RisbenchError(
        f"{path}: cannot be written: {error.strerror or error}; what was written before is whole: "
        "make room and give the same command with the same --out to go on"
    )
