"""Texts that were checked once and must not change: ``RISBENCH_GOLDEN=write pytest …`` writes them again."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden" / "reports"


def is_golden(text: str | None, name: str) -> bool:
    """Whether the text is that of ``golden/reports/NAME``."""
    assert text is not None
    path = FOLDER / name
    if os.environ.get("RISBENCH_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    # Read as bytes: no newline is translated.
    return path.read_bytes().decode() == text + "\n"
