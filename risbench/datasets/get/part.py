"""The downloaded part of a file, and what is known about it.

What has come of ``<file>`` lies in ``<file>.part``. Beside it ``<file>.part.json`` keeps the address and what the
server called this version. A part from elsewhere, or of a server that names no version, is continued only where a
checksum will tell at the end.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class State:
    """Where a part came from, and what the server called that version; empty if unknown."""

    url: str = ""
    version: str = ""

    @classmethod
    def of(cls, part: Path) -> State:
        """What is known of a part."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept: dict[str, Any] = json.loads(_beside(part).read_text(encoding="utf-8"))
            return cls(str(kept["url"]), str(kept["version"]))
        return cls()

    def can_go_on(self, url: str, checked: bool) -> bool:
        """Whether the part may be continued from an address."""
        return checked or (self.url == url and bool(self.version))

    def keep(self, part: Path) -> None:
        """Writes it down beside the part."""
        _beside(part).write_text(json.dumps({"url": self.url, "version": self.version}), encoding="utf-8")


def bytes_of(part: Path) -> int:
    """How much of a part is there."""
    try:
        return part.stat().st_size
    except OSError:
        return 0


def drop_state(part: Path) -> None:
    """Forgets where a part came from, once it is whole."""
    _beside(part).unlink(missing_ok=True)


def drop(part: Path) -> None:
    """Begins anew: the part and what was known of it go."""
    part.unlink(missing_ok=True)
    drop_state(part)


def _beside(part: Path) -> Path:
    return part.with_name(part.name + ".json")
