"""The name that an entry of a file goes by: its ``id`` as text, or its ``sent_id``.

Numbers of ids are read whatever their type, where only one reading exists: 25, 25.0 and "25" are one sent_id. COCO
numbers the entries of a file under ``id``, so a number there is no name. Two names in one entry must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import DataError


class Named(NamedTuple):
    """An entry's name, and what else it says it is about, as text: ``image_id``, ``ref_id``, ``number`` (COCO's id)."""

    name: str
    beside: dict[str, str]


def named(entry: Mapping[str, Any], where: str) -> Named:
    """The name of an entry.

    Raises:
        DataError: it has none, or two that disagree; ``where`` names the entry.
    """
    ident, sentence = entry.get("id"), plain_id(entry.get("sent_id"))
    beside = {key: found for key in ("image_id", "ref_id") if (found := plain_id(entry.get(key))) is not None}
    if isinstance(ident, str) and ident.strip():
        if sentence is not None and not _agree(ident, sentence):
            raise DataError(f"{where}: two names that disagree: id '{ident:.80}' and sent_id {sentence:.80}: keep one")
        return Named(ident, beside)
    if sentence is None:
        raise DataError(f"{where}: has neither 'id' (text, as in rows.jsonl) nor 'sent_id'{_cause(entry)}")
    if (number := plain_id(ident)) is not None:
        beside["number"] = number
    return Named(sentence, beside)


def plain_id(value: Any) -> str | None:
    """An id as text, whatever its type in the file; None for what is no id."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool):
        return None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return None


def without_zeros(name: str) -> str:
    """A decimal number without its leading zeros; any other name as it is."""
    return (name.lstrip("0") or "0") if name.isascii() and name.isdigit() else name


def _agree(ident: str, sentence: str) -> bool:
    last = ident.rpartition("/")[2]
    return ident.endswith(f"/{sentence}") or without_zeros(last) == without_zeros(sentence)


def _cause(entry: Mapping[str, Any]) -> str:
    if entry.get("sent_id") is not None:
        return f": its sent_id is {entry['sent_id']!r:.40}, and a sent_id is a whole number or a text"
    if plain_id(entry.get("id")) is not None:
        return ": a number as id is COCO's own count of entries; give the number of the expression as sent_id"
    if "ref_id" in entry or "ann_id" in entry:
        return ": a ref_id or ann_id is of an object, and does not say which expression about it was asked"
    if "image_id" in entry:
        return ": an image_id does not say which expression about the image was asked; add the sent_id to each entry"
    return ""
