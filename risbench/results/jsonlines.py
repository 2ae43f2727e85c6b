"""Files of one JSON object a line that survive being killed: appended to, read back, cut to their whole lines."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import DataError, RisbenchError


def read(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with their line numbers, counted from 1.

    Raises:
        DataError: the file is absent or a line is not a JSON object, with its number.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield number, object_in(raw, path, number)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def object_in(raw: bytes, path: Path, number: int) -> dict[str, Any]:
    """The object of one line.

    Raises:
        DataError: it is none, with the line's number.
    """
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {number}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}, line {number}: a JSON object is expected, not {type(found).__name__}")
    return found


def cut_half_line(path: Path) -> None:
    """Take away a last line without its newline, which a kill leaves behind; an absent file stays absent."""
    try:
        with path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            while end > 0:
                start = max(0, end - 65536)
                file.seek(start)
                place = file.read(end - start).rfind(b"\n")
                if place >= 0:
                    file.truncate(start + place + 1)
                    return
                end = start
            file.truncate(0)
    except FileNotFoundError:
        return
    except OSError as error:
        raise full(path, error) from error


def append(path: Path, lines: Iterable[str]) -> None:
    """Append all lines or none; only a kill can leave a half line, which the next opening cuts."""
    try:
        with path.open("ab", buffering=0) as file:
            data = memoryview("".join(line + "\n" for line in lines).encode())
            before = file.seek(0, os.SEEK_END)
            try:
                while data:
                    data = data[file.write(data) :]
            except BaseException:
                # A half line would become a broken one in the middle of the file as soon as another follows it.
                file.truncate(before)
                raise
    except OSError as error:
        raise full(path, error) from error


def replace(path: Path, text: str) -> None:
    """Write a text whole or not at all."""
    replace_bytes(path, text.encode("utf-8", "surrogatepass"))


def replace_bytes(path: Path, content: bytes, *, sweep: bool = True) -> None:
    """Write a file whole or not at all.

    Args:
        path: the file; its folder is made.
        content: all of it.
        sweep: take away what killed processes left of this file; costs a look at the whole folder.

    Raises:
        RisbenchError: it cannot be written, with its name; nothing is left behind.
    """
    temporary = part_of(path)
    try:
        if path.exists() and not path.is_file():  # /dev/null stays a device, and a pipe a pipe
            path.write_bytes(content)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if sweep:
            sweep_parts(path.parent, path.name)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise full(path, error) from error


def part_of(path: Path) -> Path:
    """Where this process writes a file before it is moved to its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def sweep_parts(folder: Path, name: str | None = None) -> None:
    """Take away what processes of this machine that are no more left of one file of a folder, or of all."""
    for left in folder.glob(f".{'*' if name is None else glob.escape(name)}.*.part"):
        number = left.name.removesuffix(".part").rpartition(".")[2]
        if number.isdecimal() and not _is_alive(int(number)):
            with suppress(OSError):
                left.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's, or none that can be asked about
    return True


def full(path: Path, error: OSError) -> RisbenchError:
    """The error of a write that failed, most often for want of space."""
    return RisbenchError(
        f"{path}: cannot be written: {error.strerror or error}; what was written before is whole: "
        "make room and give the same command with the same --out to go on"
    )
