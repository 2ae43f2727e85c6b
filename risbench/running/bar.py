"""A progress bar that prints nothing where there is no terminal."""

from __future__ import annotations

from rich.progress import Progress


class Bar(Progress):
    """A progress bar. Before version 15, rich printed an empty line at the end even of a hidden bar."""

    def stop(self) -> None:
        """End the bar, if it was shown."""
        if not self.disable:
            super().stop()
