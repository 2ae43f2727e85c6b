"""Put one file in its place by a link, a copy or unpacking; completely or not at all, and never over another file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from ...errors import DataError
from ...io.atomic import write_whole
from .archive import BROKEN
from .scan import FoundFile

How = Literal["linked", "copied", "there"]
_BLOCK = 1 << 20


def place(found: FoundFile, target: Path, copy: bool) -> How:
    """Put a file of a user's copy into the data root.

    It is a hard link if the file system allows one, else a symbolic link; with ``copy`` it is a copy. A member of an
    archive is always unpacked.

    Returns:
        What was done; ``there`` if a file with the same content existed.

    Raises:
        DataError: another file exists there, or the source is broken; nothing was changed.
        OSError: the target cannot be written.
    """
    if os.path.lexists(target):
        if found.member or not (target.exists() and target.samefile(found.path)):
            _compare(target, found.size, _blocks(found), found.label)
        return "there"
    if found.member is None and not copy:
        target.parent.mkdir(parents=True, exist_ok=True)
        source = found.path.resolve()
        try:
            os.link(source, target)
        except FileExistsError:  # by another import at this moment
            return place(found, target, copy)
        except OSError:  # another file system, or one without hard links
            target.symlink_to(source)
        return "linked"
    write_whole(target, lambda file: file.writelines(_blocks(found)))
    _readable(target)
    return "copied"


def _blocks(found: FoundFile) -> Iterator[bytes]:
    """The content in blocks; errors while reading name the source."""
    try:
        with found.open() as source:
            while block := source.read(_BLOCK):
                yield block
    except BROKEN as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:80]
        raise DataError(f"{found.label}: cannot be read, or is broken ({reason}); get it again") from None


def place_bytes(content: bytes, target: Path) -> How:
    """Put content that risbench made into the data root; see `place`."""
    if os.path.lexists(target):
        _compare(target, len(content), [content], "the content made from this copy")
        return "there"
    write_whole(target, lambda file: file.write(content))
    _readable(target)
    return "copied"


def take_back(target: Path) -> None:
    """Remove a file that `place` put there."""
    target.unlink(missing_ok=True)


def _compare(target: Path, size: int, theirs: Iterable[bytes], label: str) -> None:
    if not target.is_file():
        what = "a link to nothing" if target.is_symlink() else "not a file"
        raise DataError(f"{target}: is {what}; move it away, then import {label}")
    same = target.stat().st_size == size
    if same:
        with target.open("rb") as ours:
            same = all(ours.read(len(block)) == block for block in theirs)
    if not same:
        raise DataError(f"{target}: another file exists there and was kept; move it away to import {label}")


def _readable(target: Path) -> None:
    """Set the usual permissions of a new file; temporary files are readable only by their owner."""
    mask = os.umask(0)
    os.umask(mask)
    target.chmod(0o666 & ~mask)
