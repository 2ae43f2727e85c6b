"""Texts of strangers without special meaning in Markdown, HTML and spreadsheets; for TeX see `reports.tables.tex`."""

from __future__ import annotations

import re

from risbench.plain import is_right_to_left, plain

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#&~$])")


def escaped(text: str) -> str:
    """Text without special meaning in Markdown and HTML."""
    found = plain(text)
    # Isolated, so that text written from right to left does not reorder other cells.
    isolated = f"\u2068{found}\u2069" if is_right_to_left(found) else found
    return _SPECIAL.sub(r"\\\1", isolated)


def harmless(text: str) -> str:
    """Text that a spreadsheet shows and does not execute as a formula."""
    found = plain(text)
    return f"'{found}" if found.startswith(("=", "+", "-", "@")) else found
