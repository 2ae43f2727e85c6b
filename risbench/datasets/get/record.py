"""The record of downloads: ``risbench-downloads.json`` in the data root.

Most archives have no published checksum. The first download is trusted and its SHA-256 recorded. A later download of
the same archive is compared with it, and another file under the same name is refused, from any source.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...io.atomic import write_whole

NAME = "risbench-downloads.json"


class Record:
    """The record of one data root."""

    def __init__(self, root: Path) -> None:
        """Read the record if it exists.

        Raises:
            DataError: the file cannot be read or is not a record.
        """
        self.path = root / NAME
        self._archives: dict[str, dict[str, Any]] = {}
        try:
            whole = json.loads(self.path.read_text(encoding="utf-8"))
            self._archives = {str(name): dict(entry) for name, entry in whole["archives"].items()}
            for entry in self._archives.values():
                bytes.fromhex(entry["sha256"])
        except FileNotFoundError:
            pass
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DataError(
                f"{self.path}: not a record of downloads; correct it, or remove it and trust the next download"
            ) from None

    def of(self, archive: str) -> Mapping[str, Any] | None:
        """The record of an archive: ``url, bytes, sha256, trust, when``; None if it was never downloaded."""
        return self._archives.get(archive)

    def keep(self, archive: str, *, url: str, size: int, sha256: str, trust: str, files: Mapping[str, str]) -> None:
        """Record a download.

        Args:
            archive: its name in the table.
            url: its source.
            size: its size in bytes.
            sha256: its SHA-256.
            trust: how it was verified: ``checksum``, ``record`` or ``first use``.
            files: maps the path of each unpacked annotation file, below the data root, to its SHA-256.
        """
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._archives[archive] = {
            "url": url,
            "bytes": size,
            "sha256": sha256,
            "trust": trust,
            "when": when,
            "files": dict(files),
        }
        text = json.dumps({"schema": 1, "archives": self._archives}, indent=2, ensure_ascii=False) + "\n"
        write_whole(self.path, lambda file: file.write(text.encode()))
        self.path.chmod(0o644)
