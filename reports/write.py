"""A rendered text goes to stdout or, whole, to a file."""

from __future__ import annotations

from pathlib import Path

from risbench.results.jsonlines import replace


def given_or_written(text: str, out: Path | None) -> str | None:
    """The text itself, or None once it stands in ``out``."""
    if out is None:
        return text
    replace(out, text + "\n")
    return None
