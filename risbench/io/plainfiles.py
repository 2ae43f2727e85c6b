"""Files of a run folder, opened so that no link is written through and nothing is waited for.

A run folder may come from somebody else and be continued here. A link in it that bears the name of one of our files
would lead a write to any file of the user, and a named pipe would keep the program waiting for ever. So files are
opened for writing without following a link in their last place, drafts are made anew under their names, and anything
but a plain file is refused. Folders above the run's own may be links: a user's ``runs`` often lies on another disk.
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
    """Open a plain file for writing without following a link.

    Args:
        path: the file.
        purpose: ``append``; ``update`` what is there; ``lock``, which leaves the content alone; ``create``, which
            refuses a file that is there. All but a new file are unbuffered.

    Raises:
        RisbenchError: it is a link, or no plain file.
        OSError: it cannot be opened.
    """
    flags, mode = _FLAGS[purpose]
    refuse_link(path)
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise RisbenchError(
            f"{path}: is not a plain file, so nothing is written to it: remove it or give another --out"
        )
    return cast("BinaryIO", os.fdopen(handle, mode, buffering=-1 if purpose == "create" else 0))


def read(path: Path) -> bytes:
    """The content of a plain file.

    Raises:
        DataError: no plain file, or it cannot be read.
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
    """Refuse a link that stands where a file or folder of a run belongs.

    Raises:
        RisbenchError: it is one.
    """
    if path.is_symlink():
        raise RisbenchError(
            f"{path}: is a link, and a run writes through no link in its folder: remove the link or give another --out"
        )
