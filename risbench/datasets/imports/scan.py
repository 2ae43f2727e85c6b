"""List every file below a folder, in an archive, or in archives below a folder."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from ...errors import DataError
from .archive import BROKEN, Archive, Member, is_archive, stem_of

_DEEPEST = 16
_DEEPEST_ARCHIVE = 2
_MOST_FILES = 3_000_000


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a user's copy.

    Attributes:
        parts: the parts of its path, from the scanned folder's own name; an archive's stem counts as a folder.
        path: the file, or the archive that holds it.
        archive: its archive, if it is a member of one.
        member: the member.
    """

    parts: tuple[str, ...]
    path: Path
    archive: Archive | None = None
    member: Member | None = None

    @property
    def label(self) -> str:
        """Its name in messages: the path, and the member's name after a colon."""
        return f"{self.archive.label}:{self.member.name}" if self.archive and self.member else str(self.path)

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return self.member.size if self.member else self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Open the file for reading.

        Raises:
            DataError: the member is broken or part of a trap.
            OSError: the file cannot be read.
        """
        if self.archive and self.member:
            return self.archive.open(self.member)
        return self.path.open("rb")


class Scan:
    """The files below a folder; a context, because archives stay open while files are read from them.

    Args:
        source: a folder, an archive or a single file.
        beside: a folder to leave out: the data root, if it is inside the source.

    Attributes:
        refused: folders and archives that cannot be read, each with the reason.

    Raises:
        DataError: there is no such file or folder.
    """

    def __init__(self, source: Path, beside: Path):
        if not source.exists():
            raise DataError(f"{source}: no such file or folder; give the place of your copy with --from")
        self._source = source
        self._beside = beside.resolve()
        self._archives: list[Archive] = []
        self._visited: set[tuple[int, int]] = set()
        self.refused: list[tuple[str, str]] = []

    def __enter__(self) -> Scan:
        return self

    def __exit__(self, *_: object) -> None:
        for archive in self._archives:
            archive.close()

    def files(self) -> Iterator[FoundFile]:
        """All files, folders in the order of their names.

        Raises:
            DataError: there are more files than in all copies of all data sets, so it is the wrong folder.
        """
        source = self._source.absolute()
        found = self._folder(source, (source.name,)) if source.is_dir() else self._file(source, (source.parent.name,))
        for count, file in enumerate(found):
            if count >= _MOST_FILES:
                raise DataError(f"{source}: more than {_MOST_FILES:,} files; give the folder of your copy itself")
            yield file

    def _folder(self, folder: Path, parts: tuple[str, ...]) -> Iterator[FoundFile]:
        try:
            stat = folder.stat()
            if (stat.st_dev, stat.st_ino) in self._visited or len(parts) > _DEEPEST:
                return
            self._visited.add((stat.st_dev, stat.st_ino))
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            self.refused.append((str(folder), f"cannot be read ({error.strerror})"))
            return
        for entry in entries:
            if entry.name.startswith("._"):
                continue
            with contextlib.suppress(OSError):
                path = Path(entry.path)
                if entry.is_dir():
                    if path.resolve() != self._beside:
                        yield from self._folder(path, (*parts, entry.name))
                elif entry.is_file():
                    yield from self._file(path, parts)

    def _file(self, path: Path, parts: tuple[str, ...]) -> Iterator[FoundFile]:
        if not is_archive(path.name):
            yield FoundFile((*parts, path.name), path)
            return
        try:
            archive = Archive(path)
        except DataError as error:
            self.refused.append((str(path), str(error).removeprefix(f"{path}: ")))
            return
        yield from self._members(archive, (*parts, stem_of(path.name)))

    def _members(self, archive: Archive, parts: tuple[str, ...], depth: int = 1) -> Iterator[FoundFile]:
        self._archives.append(archive)
        self.refused += archive.refused
        for names, member in archive.members:
            found = FoundFile((*parts, *names), archive.path, archive, member)
            if not is_archive(names[-1]):
                yield found
            elif depth >= _DEEPEST_ARCHIVE:
                self.refused.append((found.label, "an archive in an archive in an archive; unpack it first"))
            elif (inner := self._inner(found)) is not None:
                yield from self._members(inner, (*parts, *names[:-1], stem_of(names[-1])), depth + 1)

    def _inner(self, found: FoundFile) -> Archive | None:
        """An archive in an archive, copied to a temporary file for random access."""
        content = TemporaryFile()  # noqa: SIM115 - the archive closes it
        try:
            with found.open() as source:
                shutil.copyfileobj(source, content)
            return Archive(found.path, (cast("BinaryIO", content), found.label))
        except DataError as error:
            content.close()
            self.refused.append((found.label, str(error).removeprefix(f"{found.label}: ")))
        except BROKEN as error:
            content.close()
            self.refused.append((found.label, f"cannot be read ({' '.join(str(error).split())[:80]}); get it again"))
        return None
