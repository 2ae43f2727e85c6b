"""The SHA-256 of a file, with a cache.

A full instances.json has about 200 MB, and hashing it at every start would take longer than reading the index. So the
hash is cached with the file's size, times and inode, and used again while these are the same. A change that keeps size,
both times and inode is not noticed. Such a change is possible within the resolution of the clock, so the hash of a file
younger than two seconds is not cached.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from pathlib import Path

from ..errors import DataError
from . import places
from .atomic import write_whole
from .reading import refuse_endless

_GRAIN_NS = 2_000_000_000


def state_of(path: Path) -> list[int]:
    """Size, modification time (ns), change time (ns) and inode, which differ after a file was changed.

    Raises:
        DataError: the file does not exist.
    """
    refuse_endless(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def sha256_of(path: Path) -> str:
    """The hexadecimal SHA-256 of a file, from the cache if the file is unchanged.

    Raises:
        DataError: the file cannot be read.
    """
    state = state_of(path)
    absolute = str(path.absolute())
    note = (
        places.cache_folder()
        / "hashes"
        / f"{hashlib.sha256(absolute.encode(errors='surrogateescape')).hexdigest()[:32]}.json"
    )
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(note.read_bytes())
        if kept["path"] == absolute and kept["state"] == state and len(bytes.fromhex(kept["sha256"])) == 32:
            return kept["sha256"]
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if time.time_ns() - max(state[1], state[2]) > _GRAIN_NS and state_of(path) == state:
        text = json.dumps({"path": absolute, "state": state, "sha256": found})
        # Without a cache every start hashes again: slower but right. The index warns about it once.
        with contextlib.suppress(OSError):
            write_whole(note, lambda file: file.write(text.encode()))
    return found
