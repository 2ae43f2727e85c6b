"""Segmentations as annotated, stored in flat arrays: polygons as corners, run-length codes as JSON text.

They are drawn only when a sample is used. Drawing a RefCOCO object takes 0.1 to 0.2 ms. Drawing all 200,000 when a set
is first read would take half a minute; drawing those of the used samples takes no time compared with a model.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np

from ...masks import parts_of
from ...records import RLE
from .columns import Texts, offsets_of
from .numbers import whole_number
from .stored import StoredNumbers

_RLE_KEYS = ("size", "counts")


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """The segmentations of n annotations.

    Attributes:
        polygons: int64 ``(n + 1,)``, offsets of each annotation's polygons.
        corners: int64 ``(polygons + 1,)``, offsets of each polygon's numbers.
        numbers: float64, ``x, y, x, y, …`` in pixels, exactly as annotated; in the index's file, if there is one.
        codes: int64 ``(n + 1,)``, offsets of each annotation's run-length codes.
        texts: the codes as JSON.
    """

    polygons: np.ndarray
    corners: np.ndarray
    numbers: np.ndarray | StoredNumbers
    codes: np.ndarray
    texts: Texts

    def raw(self, row: int) -> list[Any]:
        """An annotation's segmentation: a list of polygons or of run-length codes; empty without a mask."""
        first, last = int(self.codes[row]), int(self.codes[row + 1])
        if first < last:
            return [json.loads(self.texts[code]) for code in range(first, last)]
        first, last = int(self.polygons[row]), int(self.polygons[row + 1])
        ends = self.corners[first : last + 1].tolist()
        return [self.numbers[a:b] for a, b in pairwise(ends)]

    def parts(self, row: int, size: tuple[int, int]) -> tuple[RLE, ...]:
        """An annotation's mask as run-length codes, one for each polygon or stored code.

        Raises:
            MaskError: the segmentation cannot be drawn at this size.
        """
        return parts_of(self.raw(row), size)

    @classmethod
    def pack(cls, segmentations: Sequence[Any], fail: Callable[[int, str], Exception]) -> Outlines:
        """Make a column of segmentations; see `OutlineBuilder.add`."""
        builder = OutlineBuilder()
        builder.add(segmentations, fail)
        return builder.outlines()

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays to store."""
        numbers = np.asarray(self.numbers)
        flat = {"polygons": self.polygons, "corners": self.corners, "numbers": numbers, "codes": self.codes}
        return {**flat, **self.texts.arrays()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Any]) -> Outlines:
        """Make a column from stored arrays."""
        kept = {key: arrays[key] for key in ("polygons", "corners", "numbers", "codes")}
        return cls(**kept, texts=Texts(arrays["start"], arrays["blob"]))


class OutlineBuilder:
    """Makes the column of segmentations that come piece by piece, and keeps only their numbers."""

    def __init__(self) -> None:
        self._polygon_counts, self._code_counts, self._lengths = array("q"), array("q"), array("q")
        self._numbers = array("d")
        self._codes: list[str] = []

    def add(self, segmentations: Sequence[Any], fail: Callable[[int, str], Exception]) -> None:
        """Take the segmentations of the next annotations.

        Args:
            segmentations: one per annotation: a list of polygons, one polygon, an RLE dict, a list of RLE dicts, None,
                or empty.
            fail: makes the error for a row, counted from the first of these, that holds something else.
        """
        polygons: list[Any] = []
        polygon_counts, code_counts = [], []
        for row, segmentation in enumerate(segmentations):
            items = [segmentation] if type(segmentation) is dict and segmentation else segmentation or []
            if not isinstance(items, (list, tuple)):
                raise fail(row, f"'segmentation' is a {type(items).__name__}, not a list of polygons or codes")
            if len(items) >= 6 and type(items[0]) in (int, float):
                items = [items]  # one polygon, as some copies write it
            if items and type(items[0]) is dict:
                self._codes.extend(_text_of(item, row, fail) for item in items)
                code_counts.append(len(items))
                polygon_counts.append(0)
            else:
                polygons.extend(items)
                polygon_counts.append(len(items))
                code_counts.append(0)
        first = len(self._numbers)
        try:
            self._lengths.extend(map(len, polygons))
            # array("d") accepts only numbers; numpy would also convert texts to numbers.
            if set(map(type, polygons)) <= {list}:
                for polygon in polygons:
                    self._numbers.fromlist(polygon)
            else:
                self._numbers.extend(chain.from_iterable(polygons))
        except (TypeError, OverflowError):
            raise _culprit(polygons, polygon_counts, fail) from None
        if (
            len(self._numbers) > first
            and not np.isfinite(np.frombuffer(self._numbers, np.float64, offset=8 * first)).all()
        ):
            raise _culprit(polygons, polygon_counts, fail)
        self._polygon_counts.extend(polygon_counts)
        self._code_counts.extend(code_counts)

    def outlines(self) -> Outlines:
        """The column; nothing can be added to it."""
        flat = np.frombuffer(self._numbers, np.float64) if self._numbers else np.zeros(0)
        counts = map(offsets_of, (self._polygon_counts, self._lengths, self._code_counts))
        polygons, corners, codes = counts
        return Outlines(polygons, corners, flat, codes, Texts.pack(self._codes))


def _text_of(code: Any, row: int, fail: Callable[[int, str], Exception]) -> str:
    if not isinstance(code, dict) or any(key not in code for key in _RLE_KEYS):
        raise fail(row, "'segmentation' mixes run-length codes with other values")
    plain = {key: code[key] for key in _RLE_KEYS}
    if isinstance(plain["counts"], bytes):
        plain["counts"] = plain["counts"].decode("latin1")
    for key in _RLE_KEYS:
        # Some tools write whole numbers as floats, or sizes as texts.
        if isinstance(plain[key], (list, tuple)) and not set(map(type, plain[key])) <= {int}:
            plain[key] = [item if (whole := whole_number(item)) is None else whole for item in plain[key]]
    try:
        return json.dumps(plain, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise fail(row, "a run-length code holds a value that is neither a number nor a text") from None


def _culprit(polygons: list[Any], counts: list[int], fail: Callable[[int, str], Exception]) -> Exception:
    owners = np.repeat(np.arange(len(counts)), counts)
    for row, polygon in zip(owners.tolist(), polygons, strict=True):
        if not isinstance(polygon, (list, tuple)):
            return fail(row, f"a polygon is a {type(polygon).__name__}, not a list of numbers")
        if not all(isinstance(number, (int, float)) and abs(number) < 1e300 for number in polygon):
            return fail(row, "a polygon holds a value that is not a finite number")
    return fail(0, "'segmentation' cannot be read")
