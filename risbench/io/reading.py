"""Read other people's files within limits: only regular files, and no more bytes than files of their kind need.

A pipe or a device may never end, and a file of a few bytes on disk may claim gigabytes. The limits are far above what
real files have. A file above its limit is refused before memory is allocated.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError

CARD_BYTES = 1 << 20  # of a card or a recipe; people write some hundred bytes
RECORD_BYTES = 1 << 24  # of a run's header, summary or cost, or of a leaderboard's entry
LINE_BYTES = 1 << 25  # of one line of JSON; the run-length code of a noisy mask of 24 million pixels takes 4 MB
WHOLE_BYTES = 1 << 30  # of a JSON file of predictions that is read whole; a million short codes take as much
ANNOTATION_BYTES = 1 << 32  # of a JSON file of annotations; COCO's instances of 118,000 images take 470 MB
HEATS_BYTES = 1 << 32  # of all heats of one image; forty expressions about 24 million pixels take as much
PICTURE_BYTES = 1 << 28  # of one picture of a mask


def refuse_endless(path: Path) -> None:
    """Refuse a pipe or a device. An absent file is not refused here.

    Raises:
        DataError: the path is a pipe or a device.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError(f"{path}: a pipe or a device, which may never end: write its content to a file first")


def size_of_file(path: Path, most: int, what: str) -> int:
    """The number of bytes of a regular file.

    Args:
        path: the file, or a link to a regular file.
        most: the largest number of bytes allowed.
        what: the kind of file, for the error message, such as ``a card``.

    Raises:
        DataError: the file is absent, not a regular file, or too large.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if stat.S_ISDIR(found.st_mode):
        raise DataError(f"{path}: cannot be read: is a directory")
    refuse_endless(path)
    if found.st_size > most:
        raise DataError(f"{path}: has {found.st_size:,} bytes; {what} may have at most {most:,} bytes")
    return found.st_size


def open_to_read(path: Path) -> BinaryIO:
    """Open a regular file; a pipe or a device is refused without waiting for it.

    Raises:
        DataError: it is not a regular file.
        OSError: it cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        if stat.S_ISDIR(mode):
            raise DataError(f"{path}: cannot be read: is a directory")
        raise DataError(f"{path}: a pipe or a device, which may never end: write its content to a file first")
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, most: int, what: str) -> bytes:
    """The content of a regular file of at most ``most`` bytes.

    Raises:
        DataError: as `size_of_file`.
    """
    size_of_file(path, most, what)
    try:
        with open_to_read(path) as file:
            # The size may be wrong: the file may grow, or be a virtual file of the system.
            content = file.read(most + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise DataError(f"{path}: has more than {most:,} bytes; {what} may have at most so many")
    return content


def open_lines(path: Path) -> BinaryIO:
    """Open a regular file of any size, whose lines are read one by one.

    Raises:
        DataError: the file is absent, not a regular file, or cannot be opened.
    """
    size_of_file(path, 1 << 62, "a file of lines")
    try:
        return open_to_read(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a regular file with their numbers, counted from 1. Lines keep their newline; the last may have none.

    Raises:
        DataError: the file is absent or not a regular file, or a line is too long.
    """
    most = LINE_BYTES
    with open_lines(path) as file:
        try:
            for number, raw in enumerate(iter(lambda: file.readline(most + 1), b""), start=1):
                if len(raw) > most:
                    raise DataError(f"{path}, line {number}: is longer than the {most:,} bytes that a line may have")
                yield number, raw
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
