"""Download an archive from the first source that works, and verify it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from ...errors import DataError
from .contents import WantedMember, wanted_of
from .fetch import Client
from .messages import DownloadMessages, OnProgress, size_of
from .part import bytes_of, drop, drop_state
from .record import Record
from .sources import DownloadSource, SourceArchive, SourceRefused
from .unpack import read_through

_PIECE = 1 << 20


class Downloaded(NamedTuple):
    """A downloaded archive.

    Attributes:
        path: the archive's file.
        url: its source; empty if the file existed already.
        size: its size in bytes.
        sha256: its SHA-256.
        trust: how it was verified: ``checksum``, ``record`` or ``first use``.
        wanted: the members to unpack.
    """

    path: Path
    url: str
    size: int
    sha256: str
    trust: str
    wanted: list[WantedMember]


def download(
    client: Client, archive: SourceArchive, folder: Path, record: Record, talk: DownloadMessages
) -> Downloaded:
    """Download an archive into a folder. An archive that an earlier call downloaded is used without a download.

    Raises:
        DataError: no source gave the right archive (the message has all reasons), or the folder cannot be written.
    """
    whole, part = folder / archive.file, folder / f"{archive.file}.part"
    if whole.is_file():
        try:
            return _verified(whole, "", archive, record, talk)
        except SourceRefused as fault:
            talk.say(f"{whole}: {fault}; it is downloaded again")
            whole.unlink()
    reasons = []
    for source in archive.sources:
        try:
            found = _from(client, source, part, archive, record, talk)
        except SourceRefused as fault:
            reasons.append(f"{source.host} {fault}")
            talk.say(f"{archive.file}: {source.host} {fault}")
            continue
        part.replace(whole)
        drop_state(part)
        return found._replace(path=whole)
    text = f"{archive.file}: no source gave it: {'; '.join(dict.fromkeys(reasons))}"
    if bytes_of(part):
        text += f"; {size_of(bytes_of(part))} are kept, and the same command continues from there"
    if archive.by_hand:
        text += f"; by hand: {' or '.join(archive.by_hand)}, then `risbench data import --from FILE`"
    raise DataError(text)


def _from(
    client: Client, source: DownloadSource, part: Path, archive: SourceArchive, record: Record, talk: DownloadMessages
) -> Downloaded:
    """Download from one source. If a continued part is wrong, download once more from the beginning."""
    checked = archive.checked or record.of(archive.name) is not None
    continued = bytes_of(part) > 0
    while True:
        talk.say(f"{archive.file}: from {source.host}" + (f", from {size_of(bytes_of(part))} on" if continued else ""))
        with talk.bar(archive.file, in_bytes=True) as on_progress:
            client.fetch(
                source.url,
                part,
                most=archive.most_archive,
                size=archive.size,
                checked=checked,
                on_progress=on_progress,
                say=lambda text: talk.say(f"{archive.file}: {source.host} {text}"),
            )
        try:
            return _verified(part, source.url, archive, record, talk)
        except SourceRefused:
            drop(part)
            if not continued:
                raise
        continued = False


def _verified(path: Path, url: str, archive: SourceArchive, record: Record, talk: DownloadMessages) -> Downloaded:
    """Compare an archive with its known sizes and checksums.

    Raises:
        Refused: the archive differs.
    """
    size, before = path.stat().st_size, record.of(archive.name)
    if archive.size is not None and size != archive.size:
        raise SourceRefused(f"gave {size} bytes instead of {archive.size}")
    with talk.bar(f"{archive.file}: checksum", in_bytes=True) as on_progress:
        sha256, md5 = _hashes(path, size, archive.md5 is not None, on_progress)
    for name, right, found in (("SHA-256", archive.sha256, sha256), ("MD5", archive.md5, md5)):
        if right is not None and right.lower() != found:
            raise SourceRefused(f"gave another file: its {name} is {found} instead of {right}")
    if before is not None and not archive.checked and before["sha256"] != sha256:
        raise SourceRefused(
            f"gave another file than {before.get('url') or 'the one'} on {before.get('when', 'an earlier day')[:10]}: "
            f"its SHA-256 is {sha256}, then it was {before['sha256']} (remove it from {record.path} to trust this one)"
        )
    wanted = wanted_of(path, archive)
    if not archive.checked:
        with talk.bar(f"{archive.file}: reading", in_bytes=False) as on_progress:
            read_through(path, wanted, on_progress)
    trust = "checksum" if archive.checked else "record" if before is not None else "first use"
    return Downloaded(path, url or (before or {}).get("url", ""), size, sha256, trust, wanted)


def _hashes(path: Path, size: int, with_md5: bool, on_progress: OnProgress) -> tuple[str, str | None]:
    sha256 = hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
    done = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            sha256.update(piece)
            if md5 is not None:
                md5.update(piece)
            done += len(piece)
            on_progress(done, size)
    return sha256.hexdigest(), None if md5 is None else md5.hexdigest()
