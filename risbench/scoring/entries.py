"""An entry in a file of predictions, and its name: its ``id`` if that is a text, or its ``sent_id``.

A sent_id may be a number or a text: 25, 25.0 and "25" are the same sent_id. A number under ``id`` is not a name,
because COCO numbers the entries of a file there. If an entry has two names, they must agree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import DataError, MaskError
from ..records import Prediction
from ..results.masklines import prediction_in


class StoredEntry:
    """An entry as it lies in a file, which is read where its prediction is needed, perhaps in another process."""

    __slots__ = ("_found", "_where")

    def __init__(self, found: bytes | Mapping[str, Any], where: str) -> None:
        """Take the entry, parsed or as its line, and its place in words for messages."""
        self._found, self._where = found, where

    def __call__(self) -> Prediction | None:
        """The prediction; None if a run recorded it as missing.

        Raises:
            MaskError: it has none that can be read.
        """
        entry = self._entry
        if entry.get("missing"):
            return None
        try:
            return prediction_in(entry)
        except MaskError as error:
            raise MaskError(f"{self._where}: {error}") from None

    @property
    def segmentation(self) -> Any:
        """What lies where the mask's run-length code should be."""
        return self._entry.get("segmentation")

    @property
    def _entry(self) -> Mapping[str, Any]:
        if isinstance(self._found, bytes):
            self._found = json.loads(self._found)
        return self._found


class Named(NamedTuple):
    """The name of an entry.

    Attributes:
        name: its ``id`` or ``sent_id``.
        beside: other ids in the entry, as text: ``image_id``, ``ref_id``, and ``number``, which is a number as ``id``.
    """

    name: str
    beside: dict[str, str]


def named(entry: Mapping[str, Any], where: str) -> Named:
    """The name of an entry.

    Raises:
        DataError: it has no name, or two that disagree; ``where`` names the entry in the message.
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
    """An id as text, whatever its type in the file; None if the value is not an id."""
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
        return ": a number as id only counts the entries, as in COCO; give the number of the expression as sent_id"
    if "ref_id" in entry or "ann_id" in entry:
        return ": a ref_id or ann_id names an object, not an expression about it; add the sent_id to each entry"
    if "image_id" in entry:
        return ": an image_id names an image, not an expression about it; add the sent_id to each entry"
    return ""
