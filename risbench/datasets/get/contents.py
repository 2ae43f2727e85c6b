"""Find the needed members of an archive, and check whether the archive can be trusted.

An archive comes from an unknown source. No name in it is ever used as a path: members are found by the file names in
the table. In addition, the whole archive is refused if a member is a link or a device, if a name is absolute or leads
upwards, if a needed member is encrypted, duplicate or missing, or if a stated size exceeds the table's limit.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .messages import size_of
from .sources import ImageMembers, SourceArchive, SourceRefused

# Exceptions of zipfile for a broken archive.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,  # a place in the file that cannot be
    ValueError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
_MOST_MEMBERS = 500_000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class WantedMember(NamedTuple):
    """A needed member, and its path below the data root."""

    member: zipfile.ZipInfo
    place: str


def wanted_of(path: Path, archive: SourceArchive) -> list[WantedMember]:
    """The needed members of an archive; only its directory is read.

    Raises:
        Refused: the file is not a zip archive, or cannot be trusted; the message has the reason.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            members = opened.infolist()
    except BROKEN as error:
        raise SourceRefused(f"is not a readable zip archive ({str(error)[:80]})") from None
    if len(members) > _MOST_MEMBERS:
        raise SourceRefused(f"holds {len(members)} members, more than any data set")
    for member in members:
        _refuse_strange(member)
    files = [member for member in members if not _is_folder(member) and "__MACOSX" not in _parts(member)]
    found = [_the_one(files, name, place) for name, place in archive.members.items()]
    if archive.images is not None:
        found += _images(files, archive.images)
    for member, _ in found:
        if member.flag_bits & 1:
            raise SourceRefused(f"its member {member.filename!r:.80} is encrypted with a password")
        if member.compress_type not in _METHODS:
            raise SourceRefused(f"its member {member.filename!r:.80} has a compression that is not supported")
        if member.file_size > archive.most_member:
            raise SourceRefused(
                f"its member {member.filename!r:.80} would have {size_of(member.file_size)}, "
                f"more than the {size_of(archive.most_member)} that are believed"
            )
    if (total := sum(member.file_size for member, _ in found)) > archive.most_total:
        raise SourceRefused(
            f"would have {size_of(total)} unpacked, more than the {size_of(archive.most_total)} believed"
        )
    return found


def _refuse_strange(member: zipfile.ZipInfo) -> None:
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    plain = PurePosixPath(name.replace("\\", "/"))
    if plain.is_absolute() or ".." in plain.parts or "\0" in member.orig_filename or ":" in name.split("/")[0]:
        raise SourceRefused(f"its member {name!r:.80} leads out of its folder")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise SourceRefused(f"its member {name!r:.80} is a link or a device")


def _parts(member: zipfile.ZipInfo) -> list[str]:
    # Windows' own zip program writes backslashes.
    return member.filename.replace("\\", "/").split("/")


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.is_dir() or member.filename.endswith("\\")


def _the_one(files: list[zipfile.ZipInfo], name: str, place: str) -> WantedMember:
    found = [member for member in files if _parts(member)[-1] == name]
    if not found:
        raise SourceRefused(f"holds no {name}")
    if len(found) > 1:
        raise SourceRefused(f"holds {name} {len(found)} times: {', '.join(one.filename for one in found[:3])}")
    return WantedMember(found[0], place)


def _images(files: list[zipfile.ZipInfo], images: ImageMembers) -> list[WantedMember]:
    found: dict[str, WantedMember] = {}
    for member in files:
        parts = _parts(member)
        if images.below not in parts[:-1] or not images.name.fullmatch(parts[-1]):
            continue
        if parts[-1] in found:
            raise SourceRefused(f"holds {parts[-1]} twice")
        found[parts[-1]] = WantedMember(member, f"{images.folder}/{parts[-1]}")
    if not found:
        raise SourceRefused(f"holds no images in {images.below}/")
    return list(found.values())
