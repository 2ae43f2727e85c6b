"""The zip archives that torch writes: tensors lie in them as they are, so what is small in a file stays small."""

from __future__ import annotations

import zipfile
from pathlib import Path

from risbench.errors import DataError


def members_of(path: Path) -> list[str]:
    """The names in a zip archive; none if the file is no archive.

    Raises:
        DataError: it begins like one and is broken.
    """
    try:
        if not zipfile.is_zipfile(path):
            return []
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path} is a broken archive ({error!s:.200}); download it again") from None


def refuse_packed(path: Path) -> None:
    """Refuse an archive with compressed or doubled content, which torch never writes and would unpack.

    Raises:
        DataError: it is one.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        packed = [member.filename for member in members if member.compress_type != zipfile.ZIP_STORED]
        if packed or sum(member.file_size for member in members) > path.stat().st_size:
            raise DataError(f"{path} was not written by torch: its content is compressed, or is there twice")


def content_of(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member that is stored as it is.

    Raises:
        KeyError: there is none of this name.
        ValueError: it is compressed.
    """
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name:.80} is compressed")
    return archive.read(name)
