"""Fonts for characters that matplotlib's own font lacks: another installed font is used, or a warning is given.

Expressions may be in any language. Fonts are searched only for pictures that need them and for a limited time; the
result is cached for the process.
"""

from __future__ import annotations

import re
import textwrap
import time
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from risbench import DataWarning
from risbench.plain import plain

_SECONDS = 5.0  # for the whole search, because a machine may have thousands of fonts
_REGULAR = ("regular", "book", "roman", "normal", "medium")
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "FULLWIDTH", "IDEOGRAPHIC")
_SHAPES_TEXT = (3, 11)  # the first matplotlib version that joins letters and writes from right to left
_JOINED = ("ARABIC", "SYRIAC", "DEVANAGARI", "BENGALI", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "GUJARATI", "THAI")


def set_fonts(figure: Any) -> tuple[str, ...]:
    """Give every text of a figure the fonts that its characters need, and remove control characters.

    Args:
        figure: a matplotlib figure, complete but not yet drawn.

    Returns:
        The families that are used beside matplotlib's own.

    Warns:
        DataWarning: a font of this machine is used, no installed font has some characters, or this matplotlib cannot
            join letters.
    """
    from matplotlib.text import Text

    found = [text for text in figure.findobj(Text) if not text.get_text().isascii()]
    for text in found:
        text.set_text("\n".join(plain(line) for line in text.get_text().split("\n")))
    letters = frozenset("".join(text.get_text() for text in found))
    families, absent = families_for(letters)
    for text in found:
        text.set_fontfamily([*text.get_fontfamily(), *families])
    if families:
        warnings.warn(
            f"some letters are drawn in the font {', '.join(families)} of this machine, because matplotlib's own font "
            "lacks them: on other machines the picture may look different",
            DataWarning,
            stacklevel=3,
        )
    if absent:
        _warn_of_absent(absent)
    _warn_of_unjoined(letters)
    return families


def is_truetype(family: str) -> bool:
    """Whether a family's file has TrueType outlines; others (CFF, as in Noto Sans CJK) are not valid there."""
    from matplotlib import font_manager

    try:
        with Path(font_manager.findfont(family)).open("rb") as file:
            kind = file.read(16)
            if kind[:4] == b"ttcf":  # a collection: its first font begins at this offset
                file.seek(int.from_bytes(kind[12:16], "big"))
                kind = file.read(4)
    except (OSError, ValueError):
        return False
    return kind[:4] in (b"\0\1\0\0", b"true")


def wrapped(text: str, width: int, lines: int | None = None) -> str:
    """The text in lines of ``width`` Latin letters (East Asian letters count as two), cut with "…" after ``lines``."""
    # A vertical tab, which no text contains any more, is put after each wide letter: it stands for the letter's second
    # half, and a line may break there.
    wide = "".join(f"{each}\v" if unicodedata.east_asian_width(each) in "WF" else each for each in plain(text))
    found = textwrap.wrap(wide, width, max_lines=lines, placeholder=" …", replace_whitespace=False)
    return "\n".join(found).replace("\v", "")


@lru_cache(maxsize=64)
def families_for(letters: frozenset[str]) -> tuple[tuple[str, ...], str]:
    """The font families needed for some letters beside matplotlib's own, and the letters that no font has."""
    from matplotlib import font_manager

    own = font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()
    missing = {each for each in letters if ord(each) not in own and not _is_unseen(each)}
    if not missing:
        return (), ""
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    families = []
    for path, family, covered in _best_fonts(font_manager.findSystemFonts(), missing):
        if path not in known:  # matplotlib's list may be older than the font
            font_manager.fontManager.addfont(path)
        families.append(family)
        missing -= covered
    return tuple(families), "".join(sorted(missing))


def _best_fonts(paths: Iterable[str], missing: Iterable[str]) -> list[tuple[str, str, set[str]]]:
    """As few fonts as possible that have the letters: path, family and the letters of each."""
    rest = set(missing)
    candidates = list(_candidates(sorted(paths, key=_likely), rest))
    chosen = []
    while rest and candidates:
        best = min(candidates, key=lambda found: (-len(found[3] & rest), found[0]))
        covered = best[3] & rest
        if not covered:
            break
        chosen.append((best[1], best[2], covered))
        rest -= covered
    return chosen


def _candidates(paths: Sequence[str], missing: set[str]) -> Iterable[tuple[tuple[Any, ...], str, str, set[str]]]:
    """The fonts that have any of the letters: rank, path, family and those letters."""
    from matplotlib.ft2font import FT2Font

    end = time.monotonic() + _SECONDS
    for path in paths:
        if time.monotonic() > end:
            return
        try:
            font = FT2Font(path)
            # Colour emoji are bitmaps of one size, which matplotlib cannot draw.
            covered = {each for each in missing if font.scalable and ord(each) in font.get_charmap()}
        except (RuntimeError, OSError, ValueError, UnicodeError):
            continue  # a broken font, or one of another kind
        # The font LastResort has a box for every letter, which does not show the letter.
        if covered and "LastResort" not in font.family_name:
            family, odd = font.family_name, font.style_name.lower() not in _REGULAR
            yield (odd, "Mono" in family, "Sans" not in family, path), path, family, covered


def _likely(path: str) -> tuple[bool, str]:
    name = Path(path).stem.lower()
    return not any(word in name for word in ("regular", "fallback", "unifont", "symbola")), path


def _is_unseen(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Mn")


def _warn_of_absent(letters: str) -> None:
    shown = ", ".join(f"{each} (U+{ord(each):04X})" for each in letters[:3]) + (", …" if len(letters) > 3 else "")
    names = [unicodedata.name(each, "") for each in letters]
    if any(name.startswith(_EAST_ASIAN) for name in names):
        package = "fonts-noto-cjk"
    elif all(unicodedata.category(each) == "So" for each in letters):
        package = "fonts-symbola"
    else:
        package = "fonts-noto-core"
    warnings.warn(
        f"no installed font has {len(letters)} of the letters in this picture, which become boxes: {shown}; install "
        f"one that has them, e.g. `apt-get install {package}`",
        DataWarning,
        stacklevel=4,
    )


def _warn_of_unjoined(letters: Iterable[str]) -> None:
    import matplotlib

    version = tuple(int(number) for number in re.findall(r"\d+", matplotlib.__version__)[:2])
    scripts = {name for each in letters if (name := unicodedata.name(each, "").partition(" ")[0]) in _JOINED}
    if scripts and version < _SHAPES_TEXT:
        warnings.warn(
            f"this matplotlib ({matplotlib.__version__}) draws {', '.join(sorted(scripts)).lower()} letters unjoined "
            "and from left to right: update it to 3.11 or later, or use the HTML gallery",
            DataWarning,
            stacklevel=4,
        )
