"""A bar on a terminal that leaves nothing where there is none."""

from __future__ import annotations

from rich.progress import Progress


class Bar(Progress):
    """A bar; before version 15 rich ends even one that was never shown with an empty line."""

    def stop(self) -> None:
        """End the bar, if it was shown."""
        if not self.disable:
            super().stop()
