"""A method's card: which keys it has, and how its ``supervision`` is read.

The first word of ``supervision`` decides the group in a table; the rest ("text + SAM") becomes a footnote. `score
--card`, `check`, `submit` and the tables all read it here, so that a word has one meaning everywhere.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

from ..errors import DataError, UsageError
from ..io import reading
from ..plugins import near
from .contract import card_of

KEYS = (
    "name", "paper", "code", "licence", "supervision", "extra_data", "grade", "threshold", "weights", "model", "reads",
    "note",
)  # fmt: skip
GRADES = ("native", "hosted", "external")
SUPERVISION = ("mask", "box", "class", "text", "none", "oracle")
SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        "masks": "mask",
        "boxes": "box",
        "classes": "class",
        "class-labels": "class",
        "image-level": "class",
        "texts": "text",
        "image-text": "text",
        "zero-shot": "none",
    }
)
_QUALIFIED = re.compile(r"\s*(?:\d[\d.]*\s*%\s+([\w-]+)|([\w-]+)\s+or\s+[\w-]+\s*$)")
_FIRST = re.compile(r"\s*([\w-]+)\s*(?:[+,;]\s*|(?=\()|$)")
_CLASS_LABELS = re.compile(r"(?i)^\s*(?:class|image-level) labels?(?=\W|$)")


class Supervision(NamedTuple):
    """What a method was trained with.

    Attributes:
        group: one of `SUPERVISION`; empty if it is not stated.
        extra: what else was used, in words.
    """

    group: str
    extra: str

    @property
    def learned(self) -> bool:
        """Whether the method was trained for the task, so that another seed gives other weights; True if not stated."""
        return self.group not in ("none", "oracle")


def supervision_of(text: str) -> Supervision:
    """Read the ``supervision`` of a card: ``"text + SAM"`` is the group ``text`` with the extra ``SAM``.

    If no group is named, the whole text is extra. A share of labels (``"5 % masks"``) and a choice of labels (``"box
    or point"``) belong to the group of the label that is named first, and the whole text is extra too.
    ``"class labels"`` is the group ``class``.
    """
    given = text or ""
    text = _CLASS_LABELS.sub("class", given)
    if qualified := _QUALIFIED.match(text):
        word = (qualified[1] or qualified[2]).lower()
        if (group := SYNONYMS.get(word, word)) in SUPERVISION:
            return Supervision(group, given.strip())
    match = _FIRST.match(text)
    word = match[1].lower() if match else ""
    group = SYNONYMS.get(word, word)
    if match is None or group not in SUPERVISION:
        return Supervision("", given)
    rest = text[match.end() :].strip()
    # "(training-free), CLIP": brackets round the first part are removed, because they look wrong in a footnote.
    return Supervision(group, re.sub(r"^\(([^()]*)\)", r"\1", rest))


def joined_text(value: Any) -> str:
    """A card's value as one text: a list joined by commas, nothing for None."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def supervision_fault(card: Mapping[str, Any]) -> str:
    """What is wrong with a card's ``supervision``, as a message; empty if it names a group or is absent."""
    text = joined_text(card.get("supervision")).strip()
    if not text or supervision_of(text).group:
        return ""
    known = [*SUPERVISION, *SYNONYMS]
    guess = near(text.split()[0].lower().strip("+,;:("), known)
    guess = f" {guess}" if guess.startswith("did") else ""
    return (
        f"supervision {text[:60]!r} does not begin with a group of the tables ({', '.join(SUPERVISION)}); write what "
        f"else was used after the group, as in 'text + SAM'.{guess}"
    )


def unknown_keys(card: Mapping[str, Any]) -> list[str]:
    """The keys that no table reads, each with a suggested spelling if there is one. A method may have such keys."""
    found = []
    for key in card:
        if key not in KEYS:
            guess = near(str(key), KEYS)
            found.append(f"'{key!s:.80}'" + (f" ({guess})" if guess.startswith("did") else ""))
    return found


def is_threshold(value: Any) -> bool:
    """Whether a card's threshold is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_card(path: Path) -> dict[str, Any]:
    """Read a card about predictions from a TOML file.

    Args:
        path: the file; its keys are among `KEYS`, and none is required.

    Raises:
        DataError: the file cannot be read, is not TOML, or has an unknown key or a wrong value.
        UsageError: the threshold is not a number.
    """
    raw = reading.read_bytes(path, reading.CARD_BYTES, "a card")
    try:
        content = tomllib.loads(raw.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path}: not TOML: {error}") from None
    if unknown := unknown_keys(content):
        raise DataError(f"{path}: a card has no key {', '.join(unknown[:3])}; its keys are {', '.join(KEYS)}")
    try:
        card = card_of(SimpleNamespace(card=content))
        json.dumps(card)
    except TypeError:
        raise DataError(f"{path}: a card holds texts, numbers and lists; write dates and times as texts") from None
    _refuse_odd_values(card, path)
    return card


def _refuse_odd_values(card: Mapping[str, Any], path: Path) -> None:
    if not isinstance(card.get("name", "-"), str) or not card.get("name", "-").strip():
        raise DataError(f"{path}: a method's name is a text, not {card['name']!r:.60}")
    if fault := supervision_fault(card):
        raise DataError(f"{path}: {fault}")
    if "grade" in card and card["grade"] not in GRADES:
        raise DataError(f"{path}: grade {card['grade']!r:.60} must be one of {', '.join(GRADES)}")
    if not all(isinstance(item, str) for item in card.get("reads", ())):
        raise DataError(f'{path}: reads is a text or a list of texts, such as ["box"]')
    threshold = card.get("threshold")
    if "threshold" in card and not is_threshold(threshold):
        raise UsageError(f"{path}: the threshold of a method's card must be a number, not {threshold!r:.60}")
