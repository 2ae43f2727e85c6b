"""The supervision of a method in a table: its first word decides the group, the rest becomes a footnote."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from risbench.datasets.catalog import is_drawn
from risbench.methods.cards import Supervision, joined_text, supervision_of

OUT_OF_ITS_WORLD = "weights trained on drawn scenes only: on photographs their figures mean nothing."
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "mask": "Supervised with masks",
        "box": "Supervised with boxes",
        "class": "Supervised with class labels of images",
        "text": "Supervised with text alone",
        "none": "Not trained for the task",
        "oracle": "Controls that read the truth",
        "": "Supervision not stated",
    }
)

__all__ = ["GROUPS", "Supervision", "of_card", "supervision_of"]


def of_card(card: Mapping[str, Any]) -> Supervision:
    """The supervision of a method's card: ``supervision``, with ``extra_data`` added."""
    found = supervision_of(joined_text(card.get("supervision")))
    extra = joined_text(card.get("extra_data"))
    parts = dict.fromkeys(part for part in (found.extra, extra) if part and part.lower() != "none")
    return Supervision(found.group, ", ".join(parts))


def out_of_its_world(card: Mapping[str, Any], split: str) -> bool:
    """Whether weights that were trained only on drawn scenes were used on photographs."""
    return card.get("trained_on") == "drawn scenes" and not is_drawn(split)
