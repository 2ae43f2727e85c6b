"""Unpack the members of an archive to the paths in the table, each completely or not at all.

Never more bytes are read than the archive states, which limits a decompression bomb.
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
    """The number of files written, of existing files that were right, and of existing files that were replaced."""

    written: int
    kept: int
    replaced: int


def read_through(path: Path, wanted: list[WantedMember], on_progress: OnProgress) -> None:
    """Read members completely, which verifies their checksums.

    Raises:
        Refused: a member is damaged.
    """
    with zipfile.ZipFile(path) as opened:
        for number, (member, _) in enumerate(wanted):
            on_progress(number, len(wanted))
            _copy(opened, member, None)


def unpack(path: Path, wanted: list[WantedMember], root: Path, *, replace: bool, on_progress: OnProgress) -> Unpacked:
    """Unpack members; each file is written completely or not at all.

    Args:
        path: the archive.
        wanted: the members, from `wanted_of`.
        root: the data root.
        replace: whether an existing file that differs is replaced (images), or is an error (annotations).
        on_progress: called with the number of finished files and of all files.

    Raises:
        Refused: a member is damaged.
        DataError: an existing file differs, or the folder cannot be written.
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
                        f"{target}: differs from the one in {path.name}; to use that one, move this one away and "
                        "run the command again"
                    )
                replaced += 1
            try:
                with whole(target) as file:
                    _copy(opened, member, file)
            except OSError as error:
                raise DataError(f"{target}: {error.strerror}; run the command again to continue") from None
            written += 1
        on_progress(len(wanted), len(wanted))
    return Unpacked(written, kept, replaced)


@contextmanager
def whole(target: Path) -> Iterator[BinaryIO]:
    """A file that gets its final name when it is complete, with the usual permissions of a new file."""
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
        raise SourceRefused(f"its member {member.filename!r:.80} has another size than the archive states")


def _pieces(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of a member; never more than its stated size, because zipfile stops there and verifies the CRC."""
    try:
        with opened.open(member) as source:
            while piece := source.read(_PIECE):
                yield piece
    except BROKEN as error:
        raise SourceRefused(f"its member {member.filename!r:.80} is damaged ({str(error)[:60]})") from None


def _fits(target: Path, member: zipfile.ZipInfo) -> bool:
    """Whether a file equals the member, by size and CRC."""
    if not target.is_file() or target.stat().st_size != member.file_size:
        return False
    code = 0
    with target.open("rb") as file:
        while piece := file.read(_PIECE):
            code = zlib.crc32(piece, code)
    return code == member.CRC
