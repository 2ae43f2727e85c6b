"""What a method learnt from, as a table groups it: one word that decides the group, the rest goes to a footnote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

OUT_OF_ITS_WORLD = "weights trained on drawn scenes only: on photographs their figures mean nothing."
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "mask": "Supervised with masks",
        "box": "Supervised with boxes",
        "text": "Supervised with text alone",
        "none": "Not trained for the task",
        "oracle": "Controls that read the truth",
        "": "Supervision not stated",
    }
)
_WORDS = MappingProxyType({"masks": "mask", "boxes": "box", "texts": "text", "image-text": "text", "zero-shot": "none"})
_FIRST = re.compile(r"\s*([\w-]+)\s*(?:[+,;]\s*|(?=\()|$)")


class Supervision(NamedTuple):
    """The group's key in `GROUPS`, and what was used besides, in words."""

    group: str
    extra: str


def supervision_of(text: str) -> Supervision:
    """``"text + SAM"`` is the group ``text`` with SAM besides; words that name no group are all extra."""
    match = _FIRST.match(text or "")
    word = match[1].lower() if match else ""
    group = _WORDS.get(word, word)
    if match is None or group not in GROUPS or not group:
        return Supervision("", text or "")
    rest = text[match.end() :].strip()
    # "(training-free), CLIP": brackets round a part read badly in a footnote.
    return Supervision(group, re.sub(r"^\(([^()]*)\)", r"\1", rest))


def of_card(card: Mapping[str, Any]) -> Supervision:
    """From a method's card: ``supervision``, and ``extra_data`` besides."""
    found = supervision_of(_words(card.get("supervision")))
    extra = _words(card.get("extra_data"))
    parts = dict.fromkeys(part for part in (found.extra, extra) if part and part.lower() != "none")
    return Supervision(found.group, ", ".join(parts))


def out_of_its_world(card: Mapping[str, Any], split: str) -> bool:
    """Whether weights that saw drawn scenes alone answered about photographs."""
    return card.get("trained_on") == "drawn scenes" and not split.startswith("shapes_")


def _words(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
