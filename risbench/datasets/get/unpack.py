"""Unpacks an archive member by member, each to the place that the table names, whole or not at all.

What is read is never more than the archive promised, so a bomb ends where its promise ends.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ...errors import DataError
from .contents import BROKEN, WantedMember
from .messages import OnProgress, size_of
from .sources import SourceRefused

_PIECE = 1 << 20


class Unpacked(NamedTuple):
    """How many files were written, how many lay there already and fit, and how many were replaced by the archive's."""

    written: int
    kept: int
    replaced: int


def read_through(path: Path, wanted: list[WantedMember], on_progress: OnProgress) -> None:
    """Reads members to their ends, which compares their checksums.

    Raises:
        Refused: one is damaged.
    """
    with zipfile.ZipFile(path) as opened:
        for number, (member, _) in enumerate(wanted):
            on_progress(number, len(wanted))
            _copy(opened, member, None)


def unpack(path: Path, wanted: list[WantedMember], root: Path, *, replace: bool, on_progress: OnProgress) -> Unpacked:
    """Takes members out of an archive; each file is there whole or not at all.

    Args:
        path: the archive.
        wanted: what `wanted_of` found.
        root: the data root.
        replace: whether a file that differs from the archive's gives way (images), or ends the work (annotations).
        on_progress: called with files done and files in all.

    Raises:
        Refused: a member is damaged.
        DataError: a file lies there that differs, or the folder cannot be written.
    """
    written = kept = replaced = 0
    needed = sum(member.file_size for member, place in wanted if not (root / place).exists())
    if needed > (free := shutil.disk_usage(root).free):
        raise DataError(f"{root}: {size_of(needed)} are needed to unpack {path.name} and {size_of(free)} are free")
    with zipfile.ZipFile(path) as opened:
        for number, (member, place) in enumerate(wanted):
            on_progress(number, len(wanted))
            target = root / place
            if target.exists():
                if _fits(target, member):
                    kept += 1
                    continue
                if not replace:
                    raise DataError(
                        f"{target}: differs from the one in {path.name}; move it away if that one is wanted, and "
                        "run the command again"
                    )
                replaced += 1
            try:
                with whole(target) as file:
                    _copy(opened, member, file)
            except OSError as error:
                raise DataError(f"{target}: {error.strerror}; run the command again to go on") from None
            written += 1
        on_progress(len(wanted), len(wanted))
    return Unpacked(written, kept, replaced)


@contextmanager
def whole(target: Path) -> Iterator[BinaryIO]:
    """A file that takes its place when all of it is written; open to the user's group as any new file is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, file: BinaryIO | None) -> None:
    done = 0
    for piece in _pieces(opened, member):
        done += len(piece)
        if file is not None:
            file.write(piece)
    if done != member.file_size:
        raise SourceRefused(f"its member {member.filename!r:.80} has another size than it says")


def _pieces(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """What a member holds; never more than it says, because zipfile stops there and compares the CRC."""
    try:
        with opened.open(member) as source:
            while piece := source.read(_PIECE):
                yield piece
    except BROKEN as error:
        raise SourceRefused(f"its member {member.filename!r:.80} is damaged ({str(error)[:60]})") from None


def _fits(target: Path, member: zipfile.ZipInfo) -> bool:
    """Whether the file is the member, by size and CRC."""
    if not target.is_file() or target.stat().st_size != member.file_size:
        return False
    code = 0
    with target.open("rb") as file:
        while piece := file.read(_PIECE):
            code = zlib.crc32(piece, code)
    return code == member.CRC
