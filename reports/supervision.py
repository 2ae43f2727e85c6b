"""What a method learnt from, as a table groups it: one word that decides the group, the rest goes to a footnote."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from risbench.datasets.catalog import is_drawn
from risbench.methods.cards import Supervision, supervision_of, words_of

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

__all__ = ["GROUPS", "Supervision", "of_card", "supervision_of"]


def of_card(card: Mapping[str, Any]) -> Supervision:
    """From a method's card: ``supervision``, and ``extra_data`` besides."""
    found = supervision_of(words_of(card.get("supervision")))
    extra = words_of(card.get("extra_data"))
    parts = dict.fromkeys(part for part in (found.extra, extra) if part and part.lower() != "none")
    return Supervision(found.group, ", ".join(parts))


def out_of_its_world(card: Mapping[str, Any], split: str) -> bool:
    """Whether weights that saw drawn scenes alone answered about photographs."""
    return card.get("trained_on") == "drawn scenes" and not is_drawn(split)
