"""A COCO results array: ``[{"sent_id", "segmentation", …}, …]``, alone or in an object, as in COCO's own files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..io import reading
from ..results import jsonlines
from .entries import StoredEntry, named

HOLDERS = ("annotations", "results", "predictions")


class Array:
    """The entries of a JSON file that is read whole."""

    kind = "a COCO results array"
    has_heats = False

    def __init__(self, path: Path) -> None:
        self.path = path
        raw = reading.read_bytes(path, reading.WHOLE_BYTES, "a JSON file (a .jsonl with an entry a line may be larger)")
        try:
            # Given as bytes, because `json` then detects UTF-8 with or without a BOM, and UTF-16.
            found = json.loads(raw, object_pairs_hook=jsonlines.without_repeats)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: not JSON: {error}") from None
        self._entries: dict[str, tuple[int, dict[str, Any]]] = {}
        self.beside: dict[str, Mapping[str, str]] = {}
        for place, line in enumerate(_entries(found, path)):
            where = f"{path}, entry {place}"
            if not isinstance(line, dict):
                raise DataError(f"{where}: an object is expected, not {type(line).__name__}")
            name, beside = named(line, where)
            if name in self._entries:
                first = self._entries[name][0]
                raise DataError(f"{path}: {name:.200} is there twice, in entries {first} and {place}")
            self._entries[name] = (place, line)
            if beside:
                self.beside[name] = beside

        self.names = list(self._entries)

    def task(self, place: int, image_id: int | str) -> StoredEntry:
        """What reads the prediction of the name at a place."""
        place, line = self._entries[self.names[place]]
        return StoredEntry(line, f"{self.path}, entry {place}")


def _entries(found: Any, path: Path) -> list[Any]:
    if isinstance(found, list):
        return found
    if not isinstance(found, dict):
        raise DataError(f"{path}: a COCO results file is a JSON array, this is {type(found).__name__}")
    holders = [key for key in HOLDERS if isinstance(found.get(key), list)]
    if len(holders) == 1:
        return found[holders[0]]
    if "segmentation" in found:
        return [found]
    lists = [key for key, value in found.items() if isinstance(value, list)]
    if len(holders) > 1:
        step = f"; it holds several lists ({', '.join(map(repr, holders))}): give the one of the predictions alone"
    elif lists:
        step = f"; give its list '{lists[0]:.40}' alone, or under 'annotations'"
    elif found:
        step = '; write a list of {"sent_id": …, "segmentation": {"size": [H, W], "counts": …}}'
    else:
        step = ""
    raise DataError(f"{path}: a COCO results file is a JSON array, this is dict{step}")
