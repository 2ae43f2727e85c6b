"""Out of an archive, member by member, only what is needed, each to a place that the table names.

An archive comes from a stranger. No name in it is ever used as a path: members are looked up by the file names that
the table wants. All the same an archive is refused as a whole when any member is a link or a device, when a name is
absolute or leads upwards, when a wanted member is locked, doubled or missing, or when what it promises is larger than
the table believes; and what is read is counted against what was promised, so a bomb ends where its promise ends.
"""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from ...errors import DataError
from .fetch import Refused
from .sources import Archive, ImageMembers
from .talk import Told, size_of

_PIECE = 1 << 20
_MOST_MEMBERS = 500_000
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,  # a place in the file that cannot be
    ValueError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class Wanted(NamedTuple):
    """A member, and its place below the data root."""

    member: zipfile.ZipInfo
    place: str


class Unpacked(NamedTuple):
    """How many files were written, how many lay there already and fit, and how many were replaced by the archive's."""

    written: int
    kept: int
    replaced: int


def wanted_of(path: Path, archive: Archive) -> list[Wanted]:
    """What is to be taken out of an archive; reads its directory only.

    Raises:
        Refused: it is no zip archive, or not one to be trusted, with the reason.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            members = opened.infolist()
    except _BROKEN as error:
        raise Refused(f"is no zip archive that can be read ({str(error)[:80]})") from None
    if len(members) > _MOST_MEMBERS:
        raise Refused(f"holds {len(members)} members, more than any data set")
    for member in members:
        _refuse_strange(member)
    files = [member for member in members if not member.is_dir() and "__MACOSX" not in member.filename.split("/")]
    found = [_the_one(files, name, place) for name, place in archive.members.items()]
    if archive.images is not None:
        found += _images(files, archive.images)
    for member, _ in found:
        if member.flag_bits & 1:
            raise Refused(f"its member {member.filename!r:.80} is locked with a password")
        if member.compress_type not in _METHODS:
            raise Refused(f"its member {member.filename!r:.80} is packed in a way that is not read")
        if member.file_size > archive.most_member:
            raise Refused(
                f"its member {member.filename!r:.80} would have {size_of(member.file_size)}, "
                f"more than the {size_of(archive.most_member)} that are believed"
            )
    if (total := sum(member.file_size for member, _ in found)) > archive.most_total:
        raise Refused(f"would have {size_of(total)} unpacked, more than the {size_of(archive.most_total)} believed")
    return found


def read_through(path: Path, wanted: list[Wanted], told: Told) -> None:
    """Reads members to their ends, which compares their checksums.

    Raises:
        Refused: one is damaged.
    """
    with zipfile.ZipFile(path) as opened:
        for number, (member, _) in enumerate(wanted):
            told(number, len(wanted))
            _copy(opened, member, None)


def unpack(path: Path, wanted: list[Wanted], root: Path, *, replace: bool, told: Told) -> Unpacked:
    """Takes members out of an archive; each file is there whole or not at all.

    Args:
        path: the archive.
        wanted: what `wanted_of` said.
        root: the data root.
        replace: whether a file that differs from the archive's gives way (images), or ends the work (annotations).
        told: called with files done and files in all.

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
            told(number, len(wanted))
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
        told(len(wanted), len(wanted))
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


def _refuse_strange(member: zipfile.ZipInfo) -> None:
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    plain = PurePosixPath(name.replace("\\", "/"))
    if plain.is_absolute() or ".." in plain.parts or "\0" in member.orig_filename or ":" in name.split("/")[0]:
        raise Refused(f"its member {name!r:.80} leads out of its folder")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(f"its member {name!r:.80} is a link or a device")


def _the_one(files: list[zipfile.ZipInfo], name: str, place: str) -> Wanted:
    found = [member for member in files if member.filename.split("/")[-1] == name]
    if not found:
        raise Refused(f"holds no {name}")
    if len(found) > 1:
        raise Refused(f"holds {name} {len(found)} times: {', '.join(one.filename for one in found[:3])}")
    return Wanted(found[0], place)


def _images(files: list[zipfile.ZipInfo], images: ImageMembers) -> list[Wanted]:
    found: dict[str, Wanted] = {}
    for member in files:
        parts = member.filename.split("/")
        if images.below not in parts[:-1] or not images.name.fullmatch(parts[-1]):
            continue
        if parts[-1] in found:
            raise Refused(f"holds {parts[-1]} twice")
        found[parts[-1]] = Wanted(member, f"{images.folder}/{parts[-1]}")
    if not found:
        raise Refused(f"holds no images in {images.below}/")
    return list(found.values())


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, file: BinaryIO | None) -> None:
    done = 0
    for piece in _pieces(opened, member):
        done += len(piece)
        if file is not None:
            file.write(piece)
    if done != member.file_size:
        raise Refused(f"its member {member.filename!r:.80} has another size than it says")


def _pieces(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """What a member holds; never more than it says, because zipfile stops there and compares the CRC."""
    try:
        with opened.open(member) as source:
            while piece := source.read(_PIECE):
                yield piece
    except _BROKEN as error:
        raise Refused(f"its member {member.filename!r:.80} is damaged ({str(error)[:60]})") from None


def _fits(target: Path, member: zipfile.ZipInfo) -> bool:
    """Whether the file is the member, by size and CRC."""
    if not target.is_file() or target.stat().st_size != member.file_size:
        return False
    code = 0
    with target.open("rb") as file:
        while piece := file.read(_PIECE):
            code = zlib.crc32(piece, code)
    return code == member.CRC
