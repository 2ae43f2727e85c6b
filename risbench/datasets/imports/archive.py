"""Read archives of unknown origin, zip or tar: names, kinds and sizes are checked before a member is read.

A member's name never decides where it is unpacked; the importer decides that. Members are refused by name if their name
leads out of the folder, if they are a link or encrypted, or if their size is larger than any file of a data set.
"""

from __future__ import annotations

import stat
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from ...errors import DataError
from ...io.wrong_content import fault_in
from . import tars

_MOST_MEMBERS = 1_000_000
_MOST_BYTES = 1 << 30  # of one member: several times the largest annotation file
# Annotations are compressed to a fifth, photographs not at all, a decompression bomb to a thousandth.
_MOST_SHRUNK = 200
_SMALL = 64 << 20


class Member(NamedTuple):
    """A member of an archive: its name, its unpacked size, and the archive's own record of it."""

    name: str
    size: int
    record: zipfile.ZipInfo | tarfile.TarInfo


class Archive:
    """An open zip or tar archive.

    Attributes:
        path: its file; for an archive in another archive, the file of that one.
        label: its name in messages.
        members: the allowed members, with the parts of each name.
        refused: the names of refused members, each with the reason.

    Args:
        path: the archive.
        inside: for an archive in another archive, its content and its name in messages.

    Raises:
        DataError: the file cannot be read as an archive.
    """

    def __init__(self, path: Path, inside: tuple[BinaryIO, str] | None = None):
        self.path = path
        self.label = str(path) if inside is None else inside[1]
        self.members: list[tuple[tuple[str, ...], Member]] = []
        self.refused: list[tuple[str, str]] = []
        self._taken, self._allowed = 0, _SMALL
        self._tar: tarfile.TarFile | None = None
        self._zip: zipfile.ZipFile | None = None
        self._file: BinaryIO | None = None
        try:
            length = path.stat().st_size
            if inside is not None:
                self._file = inside[0]
                length = self._file.seek(0, 2)
                self._file.seek(0)
            elif is_tar(self.label):
                self._file = path.open("rb")
            self._allowed = max(_SMALL, _MOST_SHRUNK * length)
            if is_tar(self.label):
                assert self._file is not None
                self._tar = tars.open_tar(path, self._file, self._allowed)
                self._list(tars.members_of(self._tar))
            else:
                self._zip = zipfile.ZipFile(path if self._file is None else self._file)
                self._list(self._zip.infolist())
        except (zipfile.BadZipFile, NotImplementedError, *tars.BROKEN) as error:
            fault = self._other_fault()
            self.close()
            kind = "tar" if is_tar(self.label) else "zip"
            raise DataError(
                f"{self.label}: " + (fault or f"not a complete {kind} archive ({_reason(error)}); get it again")
            ) from None
        except DataError:
            self.close()
            raise

    def _other_fault(self) -> str | None:
        """What the file is instead of an archive, if this can be recognised."""
        try:
            if self._file is None:
                with self.path.open("rb") as file:
                    first = file.read(512)
            else:
                self._file.seek(0)
                first = self._file.read(512)
        except (OSError, ValueError):
            return None
        packed = first.startswith((b"PK", b"\x1f\x8b", b"BZh"))
        return None if packed else fault_in(first)

    def _list(self, records: Iterable[zipfile.ZipInfo | tarfile.TarInfo]) -> None:
        for count, record in enumerate(records):
            if count >= _MOST_MEMBERS:
                raise DataError(
                    f"{self.label}: has more than {_MOST_MEMBERS:,} members, more than any archive of a data set"
                )
            self._sort_out(record)

    def _sort_out(self, record: zipfile.ZipInfo | tarfile.TarInfo) -> None:
        is_zip = isinstance(record, zipfile.ZipInfo)
        name = record.filename if is_zip else record.name
        # Windows' own zip program writes backslashes, which separate folders only there.
        parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
        is_folder = is_zip and (record.is_dir() or name.endswith("\\"))
        if is_folder or not parts or parts[0] == "__MACOSX" or parts[-1].startswith("._"):
            return
        size = record.file_size if is_zip else record.size
        if (
            fault := _name_fault(name, parts)
            or (_fault_of(record) if is_zip else tars.fault_of(record))
            or _large(size)
        ):
            self.refused.append((f"{self.label}: {name!r:.80}", fault))
        else:
            self.members.append((parts, Member(name, size, record)))

    def open(self, member: Member) -> BinaryIO:
        """Open a member for reading.

        Raises:
            DataError: the archive's members are together larger than such an archive can hold.
        """
        self._taken += member.size
        if self._taken > self._allowed:
            raise DataError(f"{self.label}: its members are {_MOST_SHRUNK} times the archive's size: a trap, not data")
        try:
            if isinstance(member.record, zipfile.ZipInfo):
                assert self._zip is not None
                return cast("BinaryIO", self._zip.open(member.record))
            assert self._tar is not None
            found = self._tar.extractfile(member.record)
            if found is None:
                raise tarfile.TarError("no file")
            return cast("BinaryIO", found)
        except BROKEN as error:
            raise DataError(f"{self.label}: {member.name!r:.80} cannot be read ({_reason(error)})") from None

    def close(self) -> None:
        """Close the file."""
        for opened in (self._zip, self._tar, self._file):
            if opened is not None:
                opened.close()


def is_archive(name: str) -> bool:
    """Whether a file's name is that of a supported archive."""
    return name.lower().endswith(".zip") or is_tar(name)


def is_tar(name: str) -> bool:
    """Whether a file's name is a tar archive's."""
    return name.lower().endswith(tars.SUFFIXES)


def stem_of(name: str) -> str:
    """An archive's name without its suffixes, which is the name of its unpacked folder."""
    suffix = next((one for one in (*tars.SUFFIXES, ".zip") if name.lower().endswith(one)), "")
    return name[: len(name) - len(suffix)]


# Exceptions of reading a broken member.
BROKEN = (zipfile.BadZipFile, NotImplementedError, RuntimeError, *tars.BROKEN)


def _name_fault(name: str, parts: tuple[str, ...]) -> str | None:
    if name[0] in "/\\" or ".." in parts or "\0" in name or ":" in parts[0]:
        return f"its name leads out of the archive's folder; {tars.UNPACK}"
    return None


def _fault_of(member: zipfile.ZipInfo) -> str | None:
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        return f"a link or device, not a file; {tars.UNPACK}"
    if member.flag_bits & 1:
        return f"encrypted; {tars.UNPACK}"
    if member.file_size > max(1 << 20, _MOST_SHRUNK * member.compress_size):
        return f"{member.compress_size:,} bytes that claim to unpack to {member.file_size:,}: a trap, not data"
    return None


def _large(size: int) -> str | None:
    return f"{size:,} bytes, more than any file of a data set has" if size > _MOST_BYTES else None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
