"""Write a figure to a file: with the fonts that its texts need, complete or not at all, and reproducibly."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from risbench import UsageError
from risbench.io.places import notes_beside
from risbench.plain import plain
from risbench.results.jsonlines import replace, replace_bytes

from .letters import is_truetype, set_fonts

SUFFIXES = (".png", ".pdf", ".svg")
# An SVG has its letters as outlines, so that it looks the same on every machine; the salt makes its bytes the same.
_SETTINGS = {"svg.fonttype": "path", "svg.hashsalt": "risbench"}
_METADATA = {".png": ("Software",), ".pdf": ("CreationDate", "Producer"), ".svg": ("Date", "Creator")}


def require_picture(out: Path | None, what: str) -> Path:
    """The file of a picture, once its name has an ending that can be drawn.

    Args:
        out: the file, or None.
        what: begins the message, e.g. ``curves are``.

    Raises:
        UsageError: no file, or another ending.
    """
    if out is None or out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{what} a picture: give --out FILE.png, FILE.pdf or FILE.svg")
    return out


def save_notes(out: Path, notes: Sequence[str]) -> None:
    """Write a picture's notes to the text file beside it, one line each; see `risbench.io.places.notes_beside`."""
    replace(notes_beside(out), "".join(f"{plain(note)}\n" for note in notes))


def save(figure: Any, out: Path, dpi: int = 200, **more: Any) -> None:
    """Write a matplotlib figure to ``out``, a PNG, PDF or SVG by its ending, without date or version.

    Raises:
        RisbenchError: it cannot be written; no partial file is left.
    """
    families = set_fonts(figure)
    # Publishers require embedded TrueType fonts and refuse Type 3, but another font is not valid as TrueType.
    settings: dict[Any, Any] = {**_SETTINGS, "pdf.fonttype": 42 if all(map(is_truetype, families)) else 3}
    suffix = out.suffix.lower()
    without = dict.fromkeys(_METADATA[suffix])
    memory = io.BytesIO()
    from matplotlib import rc_context

    with rc_context(settings), warnings.catch_warnings():
        # The fonts' own warning, given above, is enough.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        figure.savefig(memory, format=suffix[1:], dpi=dpi, metadata=without, **more)
    replace_bytes(out, memory.getvalue())


def given_or_written(text: str, out: Path | None) -> str | None:
    """The text itself, or None once it stands in ``out``."""
    if out is None:
        return text
    replace(out, text + "\n")
    return None
