"""What was downloaded: ``risbench-downloads.json`` in the data root.

For most archives nobody published a checksum. What came first is trusted, written down, and compared whenever the same
archive is downloaded again: another file under the same name is refused, wherever it comes from.
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
        """Read it, where there is one.

        Raises:
            DataError: it cannot be read or is no such record.
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
                f"{self.path}: not a record of downloads; mend it, or remove it and trust what comes next"
            ) from None

    def of(self, archive: str) -> Mapping[str, Any] | None:
        """What is known of an archive: ``url, bytes, sha256, trust, when``; None if it never came."""
        return self._archives.get(archive)

    def keep(self, archive: str, *, url: str, size: int, sha256: str, trust: str, files: Mapping[str, str]) -> None:
        """Writes down what came.

        Args:
            archive: its name in the table.
            url: where it came from.
            size: its bytes.
            sha256: its SHA-256.
            trust: what it was compared with: ``checksum``, ``record`` or ``first use``.
            files: place below the data root -> SHA-256 of each annotation file that came out of it.
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
