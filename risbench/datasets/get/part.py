"""A partially downloaded file, and its source.

The received bytes of ``<file>`` are in ``<file>.part``. ``<file>.part.json`` stores the URL and the server's name of
this version. A part from another URL, or without a version, is continued only if a checksum will verify the complete
file.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class State:
    """The source of a part: the URL and the server's name of the version; empty if unknown."""

    url: str = ""
    version: str = ""

    @classmethod
    def of(cls, part: Path) -> State:
        """Read the source of a part."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept: dict[str, Any] = json.loads(_beside(part).read_text(encoding="utf-8"))
            return cls(str(kept["url"]), str(kept["version"]))
        return cls()

    def can_go_on(self, url: str, checked: bool) -> bool:
        """Whether the part may be continued from a URL."""
        return checked or (self.url == url and bool(self.version))

    def keep(self, part: Path) -> None:
        """Write the source to a file next to the part."""
        _beside(part).write_text(json.dumps({"url": self.url, "version": self.version}), encoding="utf-8")


def bytes_of(part: Path) -> int:
    """The size of a part in bytes."""
    try:
        return part.stat().st_size
    except OSError:
        return 0


def drop_state(part: Path) -> None:
    """Remove the source of a part that is complete."""
    _beside(part).unlink(missing_ok=True)


def drop(part: Path) -> None:
    """Remove a part and its source, to start again."""
    part.unlink(missing_ok=True)
    drop_state(part)


def _beside(part: Path) -> Path:
    return part.with_name(part.name + ".json")
