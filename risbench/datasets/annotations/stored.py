"""A long array of numbers that stays in its file; only the parts that are used are read.

The corners of outlines are three quarters of an index, and an object needs a few hundred bytes of them. They are read,
not mapped into memory: a mapped file that another computer truncates on a shared disk would end the program, and what
was touched would count as its memory.
"""

from __future__ import annotations

import os
import struct
import weakref
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import DataError

_ITEM = np.dtype(np.float64)
_HEADER_BYTES = 30  # of a member of a zip archive, before its name
_BLOCK_BYTES = 1 << 20


class StoredNumbers:
    """A float64 array ``(n,)`` in a file. A slice is read when it is taken; other indexes read the whole array.

    Args:
        handle: the open file's number; it is closed with the last reference to this array.
        path: the file, for error messages and other processes.
        start: where the numbers begin, in bytes.
        count: how many numbers there are.
    """

    def __init__(self, handle: int, path: Path, start: int, count: int) -> None:
        self._handle, self._path, self._start, self._count = handle, path, start, count
        weakref.finalize(self, os.close, handle)

    @classmethod
    def in_archive(cls, file: BinaryIO, archive: zipfile.ZipFile, member: str, path: Path) -> StoredNumbers:
        """The numbers of a member of an uncompressed ``.npz``; all are read once, and their checksum is compared.

        Args:
            file: the open archive.
            archive: the same.
            member: its name, with ``.npy``.
            path: the archive's path.

        Raises:
            KeyError: there is no such member.
            ValueError, zipfile.BadZipFile: it is damaged, or holds something else.
        """
        info = archive.getinfo(member)
        with archive.open(info) as content:
            version = np.lib.format.read_magic(content)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, kind = read(content)
            before, size = content.tell(), 0
            while block := content.read(_BLOCK_BYTES):
                size += len(block)
        if info.compress_type != zipfile.ZIP_STORED or kind != _ITEM or shape != (size // 8,) or size % 8:
            raise ValueError(f"{member} is not an uncompressed array of numbers")
        file.seek(info.header_offset)
        lengths = struct.unpack("<HH", file.read(_HEADER_BYTES)[-4:])
        return cls(os.dup(file.fileno()), path, info.header_offset + _HEADER_BYTES + sum(lengths) + before, size // 8)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: Any) -> Any:
        if not isinstance(part, slice):
            return np.asarray(self)[part]
        first, stop, step = part.indices(self._count)
        if step != 1:
            return np.asarray(self)[part]
        return np.frombuffer(self._bytes(first, max(first, stop)), _ITEM)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.frombuffer(self._bytes(0, self._count), _ITEM).astype(dtype or np.float64)

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened_again, (self._path.absolute(), self._start, self._count, _identity(self._handle))

    def _bytes(self, first: int, stop: int) -> bytes:
        wanted, at, blocks = 8 * (stop - first), self._start + 8 * first, []
        while wanted:  # the system reads two gigabytes at once at most
            try:
                block = os.pread(self._handle, wanted, at)
            except OSError as error:
                raise _gone(self._path, error.strerror) from None
            if not block:
                raise _gone(self._path, "it was cut off")
            blocks.append(block)
            wanted, at = wanted - len(block), at + len(block)
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _opened_again(path: Path, start: int, count: int, identity: tuple[int, ...]) -> StoredNumbers:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _gone(path, error.strerror) from None
    if _identity(handle) != identity:
        os.close(handle)
        raise _gone(path, "it is another file now")
    return StoredNumbers(handle, path, start, count)


def _identity(handle: int) -> tuple[int, ...]:
    found = os.fstat(handle)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _gone(path: Path, why: str | None) -> DataError:
    return DataError(f"{path}: the index cannot be read any more ({why}); start again, which makes it anew if needed")
