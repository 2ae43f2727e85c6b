"""Zip archives of strangers: members are read one at a time, after their names, kinds and sizes were looked at.

Nothing is ever unpacked to where a member's name says: the importer decides each place. A name that leads out, a link,
an encrypted member or a size that no file of a data set has is refused by name.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from ...errors import DataError

_MOST_MEMBERS = 1_000_000
_MOST_BYTES = 1 << 30  # of one member: several times the largest annotation file
# Annotations of numbers shrink to a fifth, photographs not at all. A bomb shrinks to a thousandth.
_MOST_SHRUNK = 200
_SMALL = 64 << 20


class Archive:
    """An open zip archive.

    Attributes:
        path: where it lies.
        members: what may be taken, with the parts of each one's name.
        refused: the names of what may not, each with the reason.

    Raises:
        DataError: it cannot be read as an archive.
    """

    def __init__(self, path: Path):
        self.path = path
        self.members: list[tuple[tuple[str, ...], zipfile.ZipInfo]] = []
        self.refused: list[tuple[str, str]] = []
        self._taken, self._allowed = 0, _SMALL
        try:
            self._allowed = max(_SMALL, _MOST_SHRUNK * path.stat().st_size)
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise DataError(f"{path}: not a whole zip archive ({_reason(error)}); get it anew") from None
        if len(self._zip.infolist()) > _MOST_MEMBERS:
            self.close()
            raise DataError(f"{path}: lists more than {_MOST_MEMBERS:,} members, which no archive of a data set has")
        for member in self._zip.infolist():
            self._sort_out(member)

    def _sort_out(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if member.is_dir() or not parts or parts[0] == "__MACOSX" or parts[-1].startswith("._"):
            return
        if fault := _fault_of(member, parts):
            self.refused.append((f"{self.path}: {name!r:.80}", fault))
        else:
            self.members.append((parts, member))

    def open(self, member: zipfile.ZipInfo) -> BinaryIO:
        """A member, to be read.

        Raises:
            DataError: the archive's members are, together, larger than such an archive can honestly hold.
        """
        self._taken += member.file_size
        if self._taken > self._allowed:
            raise DataError(f"{self.path}: its members are {_MOST_SHRUNK} times the archive's size: a trap, not data")
        try:
            return cast("BinaryIO", self._zip.open(member))
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{self.path}: {member.filename!r:.80} cannot be read ({_reason(error)})") from None

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()


# What reading a broken member may raise.
BROKEN = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def _fault_of(member: zipfile.ZipInfo, parts: tuple[str, ...]) -> str | None:
    name, mode = member.filename, member.external_attr >> 16
    if name[0] in "/\\" or "\\" in name or ".." in parts or "\0" in name or ":" in parts[0]:
        return "its name leads out of the archive's folder"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a link or device, not a file"
    if member.flag_bits & 1:
        return "encrypted"
    if member.file_size > _MOST_BYTES:
        return f"{member.file_size:,} bytes, more than any file of a data set has"
    if member.file_size > max(1 << 20, _MOST_SHRUNK * member.compress_size):
        return f"{member.compress_size:,} bytes that say to unpack to {member.file_size:,}: a trap, not data"
    return None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
