"""Escape text for TeX, so that any engine prints it and never executes it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from risbench import UsageError
from risbench.plain import plain

_ESCAPES: Mapping[str, str] = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "*": "{*}",  # after a line break a star or a bracket would be an option of it
        "[": "{[}",
        "]": "{]}",
        "–": "--",
        "—": "---",
        "…": r"\ldots{}",
        "±": r"\ensuremath{\pm}",
        "×": r"\ensuremath{\times}",
        "≥": r"\ensuremath{\geq}",
        "≤": r"\ensuremath{\leq}",
        "·": r"\ensuremath{\cdot}",
        "‘": "`",
        "’": "'",
        "“": "``",
        "”": "''",
    }
)
_MARKS: Mapping[str, str] = MappingProxyType({"†": r"\dagger", "‡": r"\ddagger", "*": r"\ast"})
_LABEL = re.compile(r"[A-Za-z0-9:./_+-]+")
_CODE = r"\texttt{"
_LONG_WORD, _PIECE = 20, 8  # characters
_LETTERS = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝ")


def escaped(text: str) -> str:
    """The text on one line, escaped. Characters that pdfLaTeX cannot print are written as their code points."""
    return "".join(_character(character) for character in plain(text))


def breakable(text: str) -> str:
    """The text escaped; a word that may be longer than a line can be broken, without a hyphen."""
    return " ".join(
        r"\allowbreak{}".join(map(escaped, _pieces(word))) if length_of(word) > _LONG_WORD else escaped(word)
        for word in plain(text).split(" ")
    )


def _pieces(word: str) -> list[str]:
    pieces = [""]
    for character in word:
        if length_of(pieces[-1] + character) > _PIECE:
            pieces.append("")
        pieces[-1] += character
    return pieces


def caption_lines(caption: str | None, label: str | None) -> list[str]:
    """The caption of a float, printed as it is given, and its label.

    Raises:
        UsageError: a label without a caption, which would refer to the section, or one that TeX cannot read.
    """
    if label is not None and caption is None:
        raise UsageError("--label needs --caption: in LaTeX a label without a caption refers to the section")
    if label is not None and not _LABEL.fullmatch(label):
        raise UsageError(f"--label {label}: write letters, digits and : - . / _ + only, such as tab:results")
    if caption is None:
        return []
    return [rf"\caption{{{breakable(caption)}}}", *([rf"\label{{{label}}}"] if label is not None else [])]


def length_of(text: str) -> int:
    """How many characters TeX prints for a text; a code point in place of a letter has several."""
    printed = map(_character, plain(text))
    return sum(len(one.removeprefix(_CODE)) - 1 if one.startswith(_CODE) else 1 for one in printed)


def marked(marks: Sequence[str]) -> str:
    """Footnote marks, raised."""
    if not marks:
        return ""
    return "$^{" + ",".join(_MARKS.get(mark, rf"\mathrm{{{mark}}}") for mark in marks) + "}$"


def _character(character: str) -> str:
    if character == '"':
        return "''"
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isascii() or character in _LETTERS:
        return character
    # Without a font for it, an engine drops the character silently or stops, so its code point is printed.
    base = unicodedata.normalize("NFKD", character)
    if base.isascii() and base.isprintable():
        return "".join(_ESCAPES.get(each, each) for each in base)
    return f"{_CODE}U+{ord(character):04X}}}"
