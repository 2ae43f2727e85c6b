"""Write a figure to a file: with the fonts that its texts need, complete or not at all, and reproducibly."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

from risbench.results.jsonlines import replace, replace_bytes

from .letters import set_fonts


def save(figure: Any, out: Path, dpi: int = 200, **more: Any) -> None:
    """Write a matplotlib figure to ``out``, a PNG or PDF, without date or version.

    Raises:
        RisbenchError: it cannot be written; no partial file is left.
    """
    set_fonts(figure)
    plain = {"Software": None} if out.suffix == ".png" else {"CreationDate": None, "Producer": None}
    memory = io.BytesIO()
    with warnings.catch_warnings():
        # The fonts' own warning, given above, is enough.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        figure.savefig(memory, format=out.suffix[1:], dpi=dpi, metadata=plain, **more)
    replace_bytes(out, memory.getvalue())


def given_or_written(text: str, out: Path | None) -> str | None:
    """The text itself, or None once it stands in ``out``."""
    if out is None:
        return text
    replace(out, text + "\n")
    return None
