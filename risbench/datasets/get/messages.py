"""The messages and the progress of a download."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

OnProgress = Callable[[int, int | None], object]


class DownloadMessages(Protocol):
    """Receives messages and progress."""

    def say(self, text: str) -> None:
        """Show one message."""
        ...

    def bar(self, title: str, *, in_bytes: bool) -> AbstractContextManager[OnProgress]:
        """Show the progress of one download; the context's value is called with ``(done, total or None)``."""
        ...


class Silence:
    """Shows no messages and no progress."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def bar(self, title: str, *, in_bytes: bool) -> AbstractContextManager[OnProgress]:
        """Do nothing."""
        return nullcontext(lambda done, total: None)


def size_of(count: int) -> str:
    """A number of bytes as text: ``54.0 MB``."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
