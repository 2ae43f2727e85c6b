"""Read zip archives of torch. They are uncompressed, so the content is never larger than the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

from risbench.errors import DataError


def members_of(path: Path) -> list[str]:
    """The names in a zip archive; no names if the file is not an archive.

    Raises:
        DataError: the file begins like an archive but is broken.
    """
    try:
        if not zipfile.is_zipfile(path):
            return []
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"{path} is a broken archive ({error!s:.200}); download it again") from None


def refuse_packed(path: Path) -> None:
    """Refuse an archive with compressed or repeated content: torch never writes one, but would unpack it.

    Raises:
        DataError: the archive has such content.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        packed = [member.filename for member in members if member.compress_type != zipfile.ZIP_STORED]
        if packed or sum(member.file_size for member in members) > path.stat().st_size:
            raise DataError(f"{path} was not written by torch: its content is compressed, or stored twice")


def content_of(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member that is stored without compression.

    Raises:
        KeyError: there is no member of this name.
        ValueError: it is compressed.
    """
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name:.80} is compressed")
    return archive.read(name)
