"""Open the files of a run folder safely: links are not followed, and pipes are not waited for.

A run folder may come from somebody else and be continued here. If a link had the name of one of our files, a write
could overwrite any file of the user, and a named pipe would block the program for ever. So a file is opened for writing
without following a link, temporary files are always created new, and anything but a regular file is refused. Folders
above the run folder may be links, because a user's ``runs`` is often on another disk.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import DataError, RisbenchError
from .reading import open_to_read

_FLAGS = {
    "append": (os.O_WRONLY | os.O_APPEND | os.O_CREAT, "ab"),
    "update": (os.O_RDWR, "r+b"),
    "lock": (os.O_RDWR | os.O_CREAT, "r+b"),
    "create": (os.O_WRONLY | os.O_CREAT | os.O_EXCL, "wb"),
}


def open_to_write(path: Path, purpose: str) -> BinaryIO:
    """Open a regular file for writing without following a link.

    Args:
        path: the file.
        purpose: ``append``; ``update`` an existing file; ``lock``, which keeps the content; or ``create``, which
            refuses an existing file. All but a new file are unbuffered.

    Raises:
        RisbenchError: it is a link, or not a regular file.
        OSError: it cannot be opened.
    """
    flags, mode = _FLAGS[purpose]
    refuse_link(path)
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise RisbenchError(
            f"{path}: is not a regular file, so nothing is written to it: remove it or give another --out"
        )
    return cast("BinaryIO", os.fdopen(handle, mode, buffering=-1 if purpose == "create" else 0))


def read(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        DataError: it is not a regular file, or cannot be read.
    """
    try:
        with open_to_read(path) as file:
            return file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def real(path: Path) -> Path:
    """The absolute path without links; a loop of links, at which `Path.resolve` fails, is left as it stands."""
    return Path(os.path.realpath(path))


def refuse_link(path: Path) -> None:
    """Refuse a link in the place of a file or folder of a run.

    Raises:
        RisbenchError: the path is a link.
    """
    if path.is_symlink():
        raise RisbenchError(
            f"{path}: is a link, and no link in a run folder is followed: remove the link or give another --out"
        )
