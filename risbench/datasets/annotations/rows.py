"""Read columns from lists of dicts and check them; an error names the first bad row."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...masks import MOST_PIXELS
from .columns import Ident
from .numbers import whole_number

_NEXT = "get the file again, or correct it"
MANY_TARGETS = (
    "this is gRefCOCO's form, which is not supported yet, because its protocol (several targets as one mask, and "
    "predictions of no target) is not; `risbench data import FILE --as NAME` (see its --help) takes such "
    'expressions with one mask each, or with "mask": []'
)


class Rows:
    """A list of dicts in a file.

    Args:
        path: the file, for error messages.
        what: the kind of a row: ``image``, ``annotation``, ``ref``, ``sentence``.
        rows: the list.
        id_key: the key whose value names a row in error messages.

    Raises:
        DataError: it is not a list.
    """

    def __init__(self, path: Path, what: str, rows: Any, id_key: str) -> None:
        if not isinstance(rows, list):
            raise DataError(f"{path}: {what}s are a {type(rows).__name__}, not a list; {_NEXT}")
        self.path, self.what, self.rows, self.id_key = path, what, rows, id_key

    def fail(self, row: int, fault: str, *, step: bool = True) -> DataError:
        """The error for a row: file, row, fault and next step in one line; ``step`` replaces the usual next step."""
        item = self.rows[row]
        ident = item.get(self.id_key) if isinstance(item, dict) else None
        named = f"{self.what} {ident!r:.40}" if isinstance(ident, (int, str)) else f"{self.what} number {row}"
        return DataError(f"{self.path}: {named}: {fault}" + (f"; {_NEXT}" if step else ""))

    def take(self, key: str, *kinds: type) -> list[Any]:
        """The values of a key that every row must have; each has one of the given types (a bool is not an int).

        Raises:
            DataError: a row does not have it; the first such row is named.
        """
        try:
            values = [row[key] for row in self.rows]
        except (KeyError, TypeError, IndexError):
            for number, row in enumerate(self.rows):
                if not isinstance(row, dict):
                    raise self.fail(number, f"is a {type(row).__name__}, not a dict") from None
                if key not in row:
                    raise self.fail(number, f"has no {key!r}") from None
            raise
        if kinds and not set(map(type, values)) <= set(kinds):
            number = next(n for n, value in enumerate(values) if type(value) not in kinds)
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise self.fail(number, f"{key!r} is a {type(values[number]).__name__}, not {wanted}")
        return values

    def take_idents(self, key: str) -> list[Ident]:
        """The ids under a key: whole numbers or strings. A float without a fraction becomes a whole number."""
        values = self.take(key)
        if set(map(type, values)) <= {int, str}:
            return values
        found: list[Any] = [int(value) if type(value) is float and value.is_integer() else value for value in values]
        for number, value in enumerate(found):
            if type(value) not in (int, str):
                raise self.fail(number, f"{key!r} is a {_kind(value)}, not a whole number or a text")
        return found

    def take_whole(self, key: str) -> list[int]:
        """The whole numbers under a key, also if they are written as floats (40.0) or texts ("40").

        Raises:
            DataError: a row has another value; the first such row is named.
        """
        values = self.take(key)
        if set(map(type, values)) <= {int}:
            return values
        found: list[Any] = [whole_number(value) for value in values]
        for number, (value, whole) in enumerate(zip(values, found, strict=True)):
            if whole is None:
                raise self.fail(number, f"{key!r} is a {_kind(value)}, not a whole number")
        return found

    def take_boxes(self, key: str) -> np.ndarray:
        """Four finite numbers under a key, float64 ``(n, 4)``, as annotated; NaN if there is no box."""
        boxes = [row.get(key) or _NO_BOX for row in self.rows]
        try:
            flat = array("d", chain.from_iterable(boxes))
            if set(map(len, boxes)) <= {4}:
                found = np.array(flat, np.float64).reshape(-1, 4)
                empty = np.isnan(found)
                if (empty | (np.abs(found) <= _FAR)).all() and (empty.all(axis=1) == empty.any(axis=1)).all():
                    return found
        except (TypeError, OverflowError):
            pass
        for number, box in enumerate(boxes):
            if not isinstance(box, (list, tuple)) or len(box) != 4 or not all(_is_finite(side) for side in box):
                raise self.fail(number, f"{key!r} must be four finite numbers, got {box!r:.60}")
        raise self.fail(0, f"{key!r} cannot be read")

    def look_up(self, key: str, targets: dict[Any, int], kind: str, where: Path, none: bool = False) -> np.ndarray:
        """int32 ``(n,)``: the rows that the ids under a key refer to.

        Args:
            key: the key.
            targets: maps each known id to its row.
            kind: the kind of the targets, for error messages.
            where: the file of the targets.
            none: whether None and -1 (no target), which become -1, and lists of one id, as in gRefCOCO, are allowed.

        Raises:
            DataError: an id is unknown, or a list has several targets or none.
        """
        idents = self.take(key) if none else self.take_idents(key)
        if set(map(type, idents)) <= {int, str}:
            try:
                return np.array([targets[ident] for ident in idents], np.int32).reshape(-1)
            except KeyError:
                pass
        by_text = {str(ident): row for ident, row in targets.items()}
        found = []
        for number, ident in enumerate(idents):
            if none and type(ident) in (list, tuple):
                ident = self._one_target(number, key, ident)
            # Two files may write the same number differently: 25, 25.0 or "25".
            plain = ident if type(ident) in (int, str) and ident in targets else whole_number(ident)
            if none and plain in (None, -1) and ident in (None, -1, "-1") and plain not in targets:
                found.append(-1)
            elif type(ident) in (int, str) and ident in targets:
                found.append(targets[ident])
            elif plain is not None and str(plain) in by_text:
                found.append(by_text[str(plain)])
            else:
                raise self.fail(number, f"{key!r} refers to {kind} {ident!r:.40}, which {where} does not have")
        return np.array(found, np.int32)

    def _one_target(self, row: int, key: str, idents: Any) -> Any:
        """The only id in a list of targets; such lists are gRefCOCO's form."""
        if len(idents) == 1 and whole_number(idents[0]) != -1:
            return idents[0]
        what = f"{len(idents)} targets" if len(idents) > 1 else "no target"
        raise self.fail(row, f"{key!r} is {str(idents)[:40]}, {what}: {MANY_TARGETS}", step=False)


_NO_BOX = (float("nan"),) * 4
_FAR = 1e7  # pixels; no image reaches so far, and products of such numbers stay whole


def _kind(value: Any) -> str:
    """A value's description for error messages: its type, and also the value if the type does not show the fault."""
    name = type(value).__name__
    return f"{name} ({value!r:.30})" if type(value) in (float, str) else name


def _is_finite(side: Any) -> bool:
    return (isinstance(side, (int, float)) and abs(side) <= _FAR) or side is _NO_BOX[0]


def sizes_of(heights: Sequence[int], widths: Sequence[int], rows: Rows) -> np.ndarray:
    """int32 ``(n, 2)`` of height and width.

    Raises:
        DataError: a side is not between 1 and 65,536 pixels, or the image has more pixels than the reader allows.
    """
    for number, (height, width) in enumerate(zip(heights, widths, strict=True)):
        if not (0 < height <= 1 << 16 and 0 < width <= 1 << 16) or height * width > MOST_PIXELS:
            raise rows.fail(number, f"has an impossible size ({height} high, {width} wide)")
    return np.array([heights, widths], np.int32).T.reshape(-1, 2)


def check_file_names(files: Sequence[str], rows: Rows) -> None:
    """Refuse image file names that lead out of their folder.

    Raises:
        DataError: a file name leads out of its folder; the row is named.
    """
    for number, file in enumerate(files):
        if not file or file[0] in "/\\" or ".." in file or "\0" in file:
            raise rows.fail(number, f"the image's file name {file!r:.60} leads out of its folder")
