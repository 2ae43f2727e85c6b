"""Columns read from lists of dicts and checked on the way; an error names the first bad row."""

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

_NEXT = "get the file anew, or mend it"
MANY_TARGETS = (
    "this is gRefCOCO's form, which is not supported yet, because its protocol (several targets as one mask, and "
    "answers that nothing is meant) is not; `risbench data import FILE --as NAME` (see its --help) takes such "
    'expressions with one mask each, or with "mask": []'
)


class Rows:
    """The dicts of one list of a file.

    Args:
        path: the file, for the error texts.
        what: what a row is: ``image``, ``annotation``, ``ref``, ``sentence``.
        rows: the list.
        id_key: the key whose value names a row in an error text.

    Raises:
        DataError: it is not a list.
    """

    def __init__(self, path: Path, what: str, rows: Any, id_key: str) -> None:
        if not isinstance(rows, list):
            raise DataError(f"{path}: {what}s are a {type(rows).__name__}, not a list; {_NEXT}")
        self.path, self.what, self.rows, self.id_key = path, what, rows, id_key

    def fail(self, row: int, fault: str, *, step: bool = True) -> DataError:
        """The error of a row: file, row and fault in one line, with the usual next step unless the fault has one."""
        item = self.rows[row]
        ident = item.get(self.id_key) if isinstance(item, dict) else None
        named = f"{self.what} {ident!r:.40}" if isinstance(ident, (int, str)) else f"{self.what} number {row}"
        return DataError(f"{self.path}: {named}: {fault}" + (f"; {_NEXT}" if step else ""))

    def take(self, key: str, *kinds: type) -> list[Any]:
        """The values of a key that every row must have, each of one of these types (bool is no int).

        Raises:
            DataError: naming the first row without it.
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
        """The ids under a key: whole numbers or strings. A float without a fraction is the whole number."""
        values = self.take(key)
        if set(map(type, values)) <= {int, str}:
            return values
        found: list[Any] = [int(value) if type(value) is float and value.is_integer() else value for value in values]
        for number, value in enumerate(found):
            if type(value) not in (int, str):
                raise self.fail(number, f"{key!r} is a {_kind(value)}, not a whole number or a text")
        return found

    def take_whole(self, key: str) -> list[int]:
        """The whole numbers under a key, also where they are written as floats (40.0) or texts ("40").

        Raises:
            DataError: naming the first row with something else.
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
        """Four finite numbers under a key, float64 ``(n, 4)``, as they are annotated; NaN where there is none."""
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
        """int32 ``(n,)``: the rows that the ids under a key point at.

        Args:
            key: the key.
            targets: the row of each known id.
            kind: what they are, for the error text.
            where: the file that holds them.
            none: whether None and -1 (no target) are allowed, and become -1; and lists of one id, as in gRefCOCO.

        Raises:
            DataError: an id that nothing has, or a list of several targets or of none.
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
            # The same number may be written as 25, 25.0 or "25" in the one file and in the other.
            plain = ident if type(ident) in (int, str) and ident in targets else whole_number(ident)
            if none and plain in (None, -1) and ident in (None, -1, "-1") and plain not in targets:
                found.append(-1)
            elif type(ident) in (int, str) and ident in targets:
                found.append(targets[ident])
            elif plain is not None and str(plain) in by_text:
                found.append(by_text[str(plain)])
            else:
                raise self.fail(number, f"{key!r} points at {kind} {ident!r:.40}, which {where} does not have")
        return np.array(found, np.int32)

    def _one_target(self, row: int, key: str, idents: Any) -> Any:
        """The one id of a list of targets, which is gRefCOCO's form."""
        if len(idents) == 1 and whole_number(idents[0]) != -1:
            return idents[0]
        what = f"{len(idents)} targets" if len(idents) > 1 else "no target"
        raise self.fail(row, f"{key!r} is {str(idents)[:40]}, {what}: {MANY_TARGETS}", step=False)


_NO_BOX = (float("nan"),) * 4
_FAR = 1e7  # pixels; no image reaches so far, and products of such numbers stay whole


def _kind(value: Any) -> str:
    """What a value is, in an error text: its type, and itself where the type alone would not tell the fault."""
    name = type(value).__name__
    return f"{name} ({value!r:.30})" if type(value) in (float, str) else name


def _is_finite(side: Any) -> bool:
    return (isinstance(side, (int, float)) and abs(side) <= _FAR) or side is _NO_BOX[0]


def sizes_of(heights: Sequence[int], widths: Sequence[int], rows: Rows) -> np.ndarray:
    """int32 ``(n, 2)`` of height and width.

    Raises:
        DataError: a side is not between 1 and 65,536 pixels, or they make more pixels than an image is read with.
    """
    for number, (height, width) in enumerate(zip(heights, widths, strict=True)):
        if not (0 < height <= 1 << 16 and 0 < width <= 1 << 16) or height * width > MOST_PIXELS:
            raise rows.fail(number, f"has no sane size ({height} high, {width} wide)")
    return np.array([heights, widths], np.int32).T.reshape(-1, 2)


def check_file_names(files: Sequence[str], rows: Rows) -> None:
    """Refuses an image file name that leaves its folder.

    Raises:
        DataError: naming the row.
    """
    for number, file in enumerate(files):
        if not file or file[0] in "/\\" or ".." in file or "\0" in file:
            raise rows.fail(number, f"the image's file name {file!r:.60} leads out of its folder")
