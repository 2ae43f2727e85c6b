"""One file put in its place: linked, copied or unpacked; whole or not at all; never over another one."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

from ...errors import DataError
from ..atomic import write_whole
from .archive import BROKEN
from .scan import Found

How = Literal["linked", "copied", "there"]
_BLOCK = 1 << 20


def place(found: Found, target: Path, copy: bool) -> How:
    """Puts a file of a user's copy into the data root.

    A hard link where the file system allows one, else a symbolic link; a copy if asked for. A member of an archive is
    always unpacked.

    Returns:
        What was done; ``there`` when the same bytes lay there already.

    Raises:
        DataError: another file is there, or the source is broken; nothing was changed.
        OSError: the place cannot be written.
    """
    if os.path.lexists(target):
        if found.member or not (target.exists() and target.samefile(found.path)):
            _compare(target, found.size, found.open, found.label)
        return "there"
    if found.member is None and not copy:
        target.parent.mkdir(parents=True, exist_ok=True)
        source = found.path.resolve()
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without hard links
            target.symlink_to(source)
        return "linked"

    def write(file: BinaryIO) -> None:
        with found.open() as source:
            try:
                while block := source.read(_BLOCK):
                    file.write(block)
            except BROKEN as error:
                if found.member is None:
                    raise
                reason = " ".join(str(error).split())[:80]
                raise DataError(f"{found.label}: broken ({reason}); get the archive anew") from None

    write_whole(target, write)
    _readable(target)
    return "copied"


def place_bytes(content: bytes, target: Path) -> How:
    """Puts what was made here into the data root; as `place`."""
    if os.path.lexists(target):
        _compare(target, len(content), lambda: BytesIO(content), "what was made of this copy")
        return "there"
    write_whole(target, lambda file: file.write(content))
    _readable(target)
    return "copied"


def take_back(target: Path) -> None:
    """Removes what `place` put there."""
    target.unlink(missing_ok=True)


def _compare(target: Path, size: int, opened: Callable[[], BinaryIO], label: str) -> None:
    if not target.is_file():
        what = "a link to nothing" if target.is_symlink() else "not a file"
        raise DataError(f"{target}: is {what}; move it away, then import {label}")
    same = target.stat().st_size == size
    if same:
        with target.open("rb") as ours, opened() as theirs:
            try:
                while same and (block := ours.read(_BLOCK)):
                    same = theirs.read(len(block)) == block
            except BROKEN as error:
                raise DataError(f"{label}: broken ({' '.join(str(error).split())[:80]}); get it anew") from None
    if not same:
        raise DataError(f"{target}: another file is there, and was kept; move it away to import {label}")


def _readable(target: Path) -> None:
    """The permissions of any new file: what is written whole starts as its owner's alone."""
    mask = os.umask(0)
    os.umask(mask)
    target.chmod(0o666 & ~mask)
