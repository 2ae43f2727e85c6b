"""Make and lock a folder, so that only one process writes to it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from ..errors import RisbenchError
from ..io import plainfiles


def locked(path: Path) -> BinaryIO:
    """Make a folder and lock its file ``.lock``. Closing the returned file releases the folder.

    Raises:
        RisbenchError: the folder cannot be made, another process has locked it, or ``.lock`` is a link.
    """
    if path.parent == path:
        raise RisbenchError(f"{path}: a run needs a folder of its own: give another --out")
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = plainfiles.open_to_write(path / ".lock", "lock")
    except OSError as error:
        reason = "a link that leads nowhere is in the way" if _leads_nowhere(path) else error.strerror
        raise RisbenchError(f"{path}: cannot be made: {reason}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise RisbenchError(f"{path}: another process is writing to this folder; give another --out") from None
    return lock


def _leads_nowhere(path: Path) -> bool:
    return any(os.path.islink(place) and not os.path.exists(place) for place in (path, *path.parents))  # noqa: PTH110, PTH114 - they raise nothing
