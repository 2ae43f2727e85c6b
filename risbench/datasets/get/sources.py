"""The table of sources: the archives, their URLs, and the members to unpack.

The table is ``sources.json`` next to this file, or the file in ``$RISBENCH_SOURCES`` (such as an institute's own).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ...errors import DataError, UsageError


class SourceRefused(Exception):
    """A source cannot be used; the message has the reason, and the next source is tried."""


class Unreachable(SourceRefused):
    """The host does not answer at all."""


VARIABLE = "RISBENCH_SOURCES"


@dataclass(frozen=True, slots=True)
class DownloadSource:
    """One URL of an archive, or of single images (with ``{file}`` in it)."""

    url: str
    kind: str = "mirror"

    @property
    def host(self) -> str:
        """Its name in messages."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class ImageMembers:
    """The members of an archive that are images, and their target folder.

    Attributes:
        name: a pattern that the whole file name must match.
        below: their folder in the archive.
        folder: the target folder below the data root, without subfolders.
        count: the number of images.
    """

    name: re.Pattern[str]
    below: str
    folder: str
    count: int | None


@dataclass(frozen=True, slots=True)
class SourceArchive:
    """One archive.

    Attributes:
        name: its name on the command line.
        file: its file name.
        holds: its content, in words.
        sources: its sources, in the order in which they are tried.
        members: maps file names in the archive to paths below the data root; all are needed.
        images: the images to unpack.
        most_archive: the largest accepted size of the archive, in bytes.
        most_member: the largest accepted size of a member.
        most_total: the largest accepted size of all unpacked members.
        size: its size in bytes, if known.
        sha256: its SHA-256, if known.
        md5: its MD5, if known.
        by_hand: web pages for a manual download.
    """

    name: str
    file: str
    holds: str
    sources: tuple[DownloadSource, ...]
    members: Mapping[str, str]
    images: ImageMembers | None
    most_archive: int
    most_member: int
    most_total: int
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    by_hand: tuple[str, ...] = ()

    @property
    def checked(self) -> bool:
        """Whether there is a checksum to verify it."""
        return bool(self.sha256 or self.md5)


@dataclass(frozen=True, slots=True)
class Singles:
    """Images that can be downloaded one by one: their URLs, and the largest accepted size."""

    sources: tuple[DownloadSource, ...]
    most: int


@dataclass(frozen=True, slots=True)
class Sources:
    """The table of sources."""

    archives: Mapping[str, SourceArchive]
    images: Mapping[str, Singles]

    def at(self, prefix: str) -> Sources:
        """The same archives with a single source each: ``<prefix>/<file>``, single images at ``<prefix>/<set>/<file>``.

        Raises:
            UsageError: the prefix is not an http(s) URL.
        """
        if urlsplit(prefix).scheme not in ("http", "https") or not urlsplit(prefix).netloc:
            raise UsageError(f"--from {prefix}: give an http(s) address; for files use `data import --from`")
        base = prefix.rstrip("/")
        archives = {
            name: replace(one, sources=(DownloadSource(f"{base}/{quote(one.file)}"),))
            for name, one in self.archives.items()
        }
        images = {
            name: replace(one, sources=(DownloadSource(f"{base}/{quote(name)}/{{file}}"),))
            for name, one in self.images.items()
        }
        return Sources(archives, images)


def read_sources() -> Sources:
    """Read the table: the shipped one, or the one in ``$RISBENCH_SOURCES``.

    Raises:
        DataError: the table is missing or broken; the message names the file and the key.
    """
    named = os.environ.get(VARIABLE)
    path = Path(named).expanduser() if named else Path(__file__).with_name("sources.json")
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        return Sources(
            {name: _archive(name, entry) for name, entry in whole["archives"].items()},
            {
                name: Singles(_sources(entry["sources"]), int(entry["most"]))
                for name, entry in whole.get("images", {}).items()
            },
        )
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); ${VARIABLE} names it") from None
    except KeyError as error:
        raise DataError(f"{path}: an entry has no {error}; compare with risbench/datasets/get/sources.json") from None
    except (ValueError, TypeError, AttributeError, re.error) as error:
        raise DataError(f"{path}: not a table of sources ({str(error)[:100]})") from None


def _archive(name: str, entry: dict[str, Any]) -> SourceArchive:
    images, most = entry.get("images"), entry["most"]
    for place in [*entry.get("members", {}).values(), *([images["folder"]] if images else []), entry["file"]]:
        if Path(place).is_absolute() or ".." in Path(place).parts:
            raise ValueError(f"{name}: {place!r} leads out of the data root")
    return SourceArchive(
        name=name,
        file=entry["file"],
        holds=entry["holds"],
        sources=_sources(entry["sources"]),
        members=dict(entry.get("members", {})),
        images=None
        if images is None
        else ImageMembers(re.compile(images["name"]), images["below"], images["folder"], images.get("count")),
        most_archive=int(most["archive"]),
        most_member=int(most["member"]),
        most_total=int(most["total"]),
        size=entry.get("size"),
        sha256=entry.get("sha256"),
        md5=entry.get("md5"),
        by_hand=tuple(one["url"] for one in entry.get("by_hand", ())),
    )


def _sources(entries: list[dict[str, str]]) -> tuple[DownloadSource, ...]:
    for entry in entries:
        if urlsplit(entry["url"]).scheme not in ("http", "https"):
            raise ValueError(f"{entry['url']!r:.80} is not an http(s) URL")
    return tuple(DownloadSource(entry["url"], entry.get("kind", "mirror")) for entry in entries)
