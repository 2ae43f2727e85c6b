"""Read tar archives of unknown origin, plain, gzip or bzip2, as carefully as zips; see `archive`."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from ...errors import DataError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz")
BROKEN = (OSError, tarfile.TarError, EOFError, zlib.error, ValueError)
UNPACK = "unpack the archive yourself, and give the folder to --from"  # the way out of most refusals
_MOST_AT_ONCE = 64 << 20  # no header is so long; contents are read in small blocks


class Bounded(io.RawIOBase):
    """The unpacked content of a stream up to a length limit, which stops a decompression bomb."""

    def __init__(self, inner: Any, most: int, path: Path) -> None:
        self._inner, self._most, self._path = inner, most, path

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            DataError: the content is larger than such an archive can hold, or a header is invalid.
        """
        if not 0 <= size <= _MOST_AT_ONCE or self._inner.tell() + size > self._most + _MOST_AT_ONCE:
            raise DataError(f"{self._path}: unpacks to more than such an archive can really hold: a trap, not data")
        found = self._inner.read(size)
        if self._inner.tell() > self._most:
            raise DataError(f"{self._path}: unpacks to more than such an archive can really hold: a trap, not data")
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position."""
        if whence == 0 and offset > self._most:
            raise DataError(f"{self._path}: has a member larger than such an archive can really hold: a trap, not data")
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._inner.tell()

    def close(self) -> None:
        """Close the stream."""
        self._inner.close()
        super().close()


def open_tar(path: Path, file: BinaryIO, most: int) -> tarfile.TarFile:
    """Open a tar archive with any supported compression.

    Raises:
        DataError: the archive is a trap.
        tarfile.TarError, OSError: the file is not a tar archive.
    """
    start = file.read(6)
    file.seek(0)
    inner: Any = file
    if start.startswith(b"\x1f\x8b"):
        inner = gzip.GzipFile(fileobj=file)
    elif start.startswith(b"BZh"):
        inner = bz2.BZ2File(file)
    return tarfile.open(fileobj=cast("BinaryIO", Bounded(inner, most, path)), mode="r:")


def fault_of(member: tarfile.TarInfo) -> str | None:
    """Why a member is refused by its kind."""
    if not member.isreg() or member.issparse():
        return f"a link or device, not a file; {UNPACK}"
    return None


def members_of(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members that are not folders."""
    return (member for member in tar if not member.isdir())
