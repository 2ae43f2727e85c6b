"""A figure becomes a file: with the letters that its texts need, whole or not at all, the same for the same results."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

from risbench.results.jsonlines import replace, replace_bytes

from .letters import letter


def save(figure: Any, out: Path, dpi: int = 200, **more: Any) -> None:
    """Write a matplotlib figure to ``out``, a PNG or PDF, without date or version.

    Raises:
        RisbenchError: it cannot be written; nothing half-written is left.
    """
    letter(figure)
    plain = {"Software": None} if out.suffix == ".png" else {"CreationDate": None, "Producer": None}
    memory = io.BytesIO()
    with warnings.catch_warnings():
        # `letter` warns of letters that no font has, once.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        figure.savefig(memory, format=out.suffix[1:], dpi=dpi, metadata=plain, **more)
    replace_bytes(out, memory.getvalue())


def given_or_written(text: str, out: Path | None) -> str | None:
    """The text itself, or None once it stands in ``out``."""
    if out is None:
        return text
    replace(out, text + "\n")
    return None
