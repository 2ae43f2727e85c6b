"""Write a file whole or not at all: as a draft beside its place, which is moved there at the end.

A draft is called ``.<name>.<process>.part``. It is made again, so that no link is written through (see `plainfiles`).
The drafts of killed processes are known by their numbers, and `sweep_parts` removes them.
"""

from __future__ import annotations

import glob
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from . import plainfiles
from .reading import open_to_read


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, durable: bool = False) -> None:
    """Write a file whole or not at all; a device or a pipe gets the content as it comes.

    Args:
        path: the file; its folder is made.
        write: puts the content into an open file.
        durable: have it on the disk before it takes its place, for what cannot be made again.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    if path.exists() and not path.is_file():  # /dev/null stays a device, and a pipe a pipe
        with path.open("wb") as file:
            write(file)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, write, durable=durable)


def replace(path: Path, fill: Callable[[BinaryIO], object], *, durable: bool = True) -> None:
    """Write a file whole or not at all; a file or link of that name is replaced.

    Args:
        path: the file; its folder is there.
        fill: puts the content into an open file.
        durable: have it on the disk before it takes its place.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    with drafted(path) as draft, plainfiles.open_to_write(draft, "create") as file:
        fill(file)
        if durable:
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """The path of a draft to be written, which takes a file's place at the end; if anything fails, nothing is left."""
    draft = part_of(path)
    draft.unlink(missing_ok=True)  # of a process that had this number and was killed
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def part_of(path: Path) -> Path:
    """Where this process (and thread, beside the main one) writes a file before it is moved to its place."""
    thread = "" if threading.current_thread() is threading.main_thread() else f"{threading.get_ident()}."
    return path.with_name(f".{path.name}.{thread}{os.getpid()}.part")


def sweep_parts(folder: Path, name: str | None = None) -> None:
    """Remove the drafts that dead processes of this machine left, of one file of a folder or of all."""
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
        return True  # of another user, or not a valid number
    return True


def copy(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all; a link at the target is replaced, not followed.

    Raises:
        DataError: the source is not a regular file.
        OSError: it cannot be copied.
    """
    with open_to_read(source) as content:
        replace(target, lambda file: shutil.copyfileobj(content, file))


def make_own(path: Path) -> None:
    """Replace a file with hard links by a copy of it, so that writing to it does not change the other names.

    Raises:
        OSError: it cannot be copied.
    """
    if not path.is_symlink() and path.is_file() and path.stat().st_nlink > 1:
        copy(path, path)
