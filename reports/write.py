"""Return a rendered text, or write it to a file."""

from __future__ import annotations

from pathlib import Path

from risbench.results.jsonlines import replace


def given_or_written(text: str, out: Path | None) -> str | None:
    """The text itself if ``out`` is None; otherwise the text is written to ``out`` and None is returned."""
    if out is None:
        return text
    replace(out, text + "\n")
    return None
