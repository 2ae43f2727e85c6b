"""What a download tells while it works: nothing here decides anything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Told = Callable[[int, int | None], object]


class DownloadMessages(Protocol):
    """Someone who is told how far the work is."""

    def say(self, text: str) -> None:
        """Tell one line."""
        ...

    def bar(self, title: str, *, in_bytes: bool) -> AbstractContextManager[Told]:
        """Show how far one thing is: the context's value is called with ``(done, total or None)``."""
        ...


class Silence:
    """Tells nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def bar(self, title: str, *, in_bytes: bool) -> AbstractContextManager[Told]:
        """Nothing."""
        return nullcontext(lambda done, total: None)


def size_of(count: int) -> str:
    """A number of bytes for the eye: ``54.0 MB``."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
