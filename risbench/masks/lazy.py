"""A mask of which pixels, rectangle and run lengths are each made only where something needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import MaskError
from ..records import RLE, CodedMask
from . import codes


class LazyMask:
    """A mask that began as pixels or as run lengths; ``numpy.asarray`` of it is bool ``(H, W)``.

    Scoring a mask that came as a code needs few of its pixels: overlaps are counted on run lengths, contours are found
    within the rectangle round the mask, and the code is written as it came.
    """

    __slots__ = ("_area", "_code", "_pixels", "_runs", "_shape", "_window")

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        pixels: np.ndarray | None = None,
        runs: np.ndarray | None = None,
        code: str | None = None,
    ) -> None:
        """Use `of_pixels`, `of_code` or `of_parts`; pixels or runs must be given."""
        self._shape = shape
        self._pixels, self._runs, self._code = pixels, runs, code
        self._area: int | None = None
        self._window: tuple[int, int, np.ndarray] | None = None

    @staticmethod
    def of_pixels(mask: np.ndarray | CodedMask) -> LazyMask:
        """A mask from its pixels.

        Args:
            mask: bool ``(H, W)``; a lazy mask is returned as it is.

        Raises:
            MaskError: it is something else.
        """
        if isinstance(mask, LazyMask):
            return mask
        mask = np.asarray(mask)
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise MaskError(f"a mask is bool (H, W), got {mask.dtype} {mask.shape}")
        return LazyMask((mask.shape[0], mask.shape[1]), pixels=mask)

    @staticmethod
    def of_code(rle: Mapping[str, Any]) -> LazyMask:
        """A mask from a run-length code, which is checked.

        Raises:
            MaskError: the code is malformed, with the reason.
        """
        shape = codes.size_of(rle)
        read = codes.read(rle)
        return LazyMask(shape, runs=read.runs, code=rle["counts"] if read.is_canonical else None)

    @staticmethod
    def of_parts(parts: Sequence[RLE], size: tuple[int, int], *, once: bool = False) -> LazyMask:
        """The pixels that any part covers, or with ``once`` those that exactly one covers.

        Args:
            parts: codes of one size.
            size: ``(height, width)``.
            once: whether a pixel in two parts is background.

        Raises:
            MaskError: a code is malformed or of another size.
        """
        for part in parts:
            if codes.size_of(part) != tuple(size):
                raise MaskError(f"run-length code of size {codes.size_of(part)} in an image of size {tuple(size)}")
        if len(parts) == 1:
            return LazyMask.of_code(parts[0])
        return LazyMask(size, runs=_layered([codes.runs_of(part) for part in parts], size[0] * size[1], once))

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return self._shape

    @property
    def size(self) -> int:
        """The number of pixels of the image."""
        return self.shape[0] * self.shape[1]

    @property
    def area(self) -> int:
        """The number of pixels of the mask."""
        if self._area is None:
            runs = self._runs
            self._area = int(np.count_nonzero(self.pixels) if runs is None else runs[1::2].sum())
        return self._area

    @property
    def runs(self) -> np.ndarray:
        """Lengths of background and mask by turns, column by column: int64 ``(n,)``."""
        if self._runs is None:
            self._runs = _runs_of_window(*self.window, self.shape)
        return self._runs

    @property
    def code(self) -> RLE:
        """The code as COCO's tools would write it of the pixels."""
        if self._code is None:
            self._code = codes.packed(self._full_runs, self.shape)
        return {"size": [*self.shape], "counts": self._code}

    @property
    def pixels(self) -> np.ndarray:
        """Bool ``(H, W)``, row-major."""
        if self._pixels is None:
            left, top, inside = self.window
            if inside.shape == self.shape:
                self._pixels = inside.view(np.bool_)
            else:
                self._pixels = np.zeros(self.shape, dtype=np.bool_)
                self._pixels[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        return self._pixels

    @property
    def window(self) -> tuple[int, int, np.ndarray]:
        """The smallest rectangle round the mask: its column, its row, and its pixels, uint8 0 and 1 ``(h, w)``.

        Of an empty mask it is 0, 0 and ``(0, 0)``.
        """
        if self._window is None:
            self._window = _cut_out(self._pixels) if self._pixels is not None else _drawn(self._full_runs, self.shape)
        return self._window

    @property
    def surrounding(self) -> tuple[int, int, np.ndarray]:
        """A rectangle that holds the mask, as `window` gives it: the whole image where that is at hand already."""
        if self._window is None and self._pixels is not None:
            return 0, 0, np.ascontiguousarray(self._pixels).view(np.uint8)
        return self.window

    def covers(self, row: int, column: int) -> bool:
        """Whether a pixel belongs to the mask; one outside the image does not."""
        if not (0 <= row < self.shape[0] and 0 <= column < self.shape[1]):
            return False
        if self._pixels is not None:
            return bool(self._pixels[row, column])
        ends = np.cumsum(self.runs)
        return bool(np.searchsorted(ends, column * self.shape[0] + row, side="right") % 2)

    def shared_with(self, other: LazyMask) -> int:
        """The number of pixels in both of two masks of one size."""
        if self._code is not None or self._pixels is None:
            tools = codes.coco_tools()
            return int(tools.area(tools.merge([self._packed, other._packed], intersect=True)))
        return int(np.count_nonzero(self.pixels & other.pixels))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The pixels; see ``numpy.asarray``."""
        pixels = self.pixels if dtype is None else self.pixels.astype(dtype)
        return pixels.copy() if copy and dtype is None else pixels

    @property
    def _full_runs(self) -> np.ndarray:
        """The runs, none of which but the first has length 0; a code may have such, pixels never."""
        if self._runs is None or self._code is None:
            self._runs = _without_empty(self.runs)
        return self._runs

    @property
    def _packed(self) -> dict[str, Any]:
        """The code as pycocotools takes it."""
        return {"size": [*self.shape], "counts": self.code["counts"].encode("ascii")}


def _without_empty(runs: np.ndarray) -> np.ndarray:
    """The same mask without runs of length 0 behind the first."""
    if runs[1:].all():
        return runs
    ends = np.cumsum(runs)
    starts, stops = ends[:-1:2], ends[1::2]
    full = stops > starts
    return _between(*_joined(starts[full], stops[full]), int(ends[-1]))


def _joined(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of mask, in order, without gaps of length 0 between them."""
    apart = starts[1:] != stops[:-1]
    if apart.all():
        return starts, stops
    return starts[np.append(True, apart)], stops[np.append(apart, True)]


def _between(starts: np.ndarray, stops: np.ndarray, total: int) -> np.ndarray:
    """Run lengths of an image of ``total`` pixels from where runs of mask begin and end, int64 ``(n,)`` each."""
    bounds = np.empty(2 * len(starts) + 2, dtype=np.int64)
    bounds[0], bounds[-1] = 0, total
    bounds[1:-1:2], bounds[2:-1:2] = starts, stops
    runs = bounds[1:] - bounds[:-1]
    return runs if len(runs) == 1 or runs[-1] else runs[:-1]


def _layered(parts: Sequence[np.ndarray], total: int, once: bool) -> np.ndarray:
    """The runs of what any part covers, or exactly one, from the runs of each part."""
    ends = [np.cumsum(runs) for runs in parts]
    starts = np.concatenate([np.zeros(0, np.int64), *(each[:-1:2] for each in ends)])
    stops = np.concatenate([np.zeros(0, np.int64), *(each[1::2] for each in ends)])
    places = np.concatenate([starts, stops])
    order = np.argsort(places, kind="stable")
    places = places[order]
    layers = np.cumsum(np.where(order < len(starts), 1, -1))
    last = np.append(places[1:] != places[:-1], True)[: len(places)]  # of the changes at one place
    places, inside = places[last], (layers[last] == 1) if once else (layers[last] > 0)
    changes = inside != np.append(False, inside[:-1])[: len(inside)]
    bounds = places[changes]
    return _between(bounds[::2], bounds[1::2], total)


def _cut_out(mask: np.ndarray) -> tuple[int, int, np.ndarray]:
    import cv2

    pixels = np.ascontiguousarray(mask).view(np.uint8)
    if not pixels.size:
        return 0, 0, np.zeros((0, 0), np.uint8)
    left, top, width, height = cv2.boundingRect(pixels)
    return (left, top, pixels[top : top + height, left : left + width]) if width else (0, 0, np.zeros((0, 0), np.uint8))


def _drawn(runs: np.ndarray, shape: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    """The rectangle round a mask of some runs, none of which but the first has length 0."""
    import cv2

    height, width = shape
    stops = np.cumsum(runs)
    starts, lengths = stops[:-1:2], runs[1::2]
    if not starts.size:
        return 0, 0, np.zeros((0, 0), np.uint8)
    rows = starts % height
    bottom = int((rows + lengths).max())
    # A run that goes on in the next column covers the bottom of one column and the top of the next.
    top, bottom = (0, height) if bottom > height else (int(rows.min()), bottom)
    left, right = int(starts[0]) // height, (int(stops[1::2][-1]) - 1) // height + 1
    within = runs.copy()
    within[0] -= left * height
    if len(runs) % 2:
        within[-1] -= (width - right) * height
    ink = np.zeros(runs.size, dtype=np.uint8)
    ink[1::2] = 1
    columns = np.repeat(ink, within).reshape(right - left, height)[:, top:bottom]
    # OpenCV turns bytes twice as fast as numpy does; a vector it would give back as it is.
    return left, top, cv2.transpose(columns).reshape(bottom - top, right - left)


def _runs_of_window(left: int, top: int, inside: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The runs of a mask from the rectangle round it."""
    import cv2

    height, width = inside.shape
    if not inside.size:
        return np.array([shape[0] * shape[1]], dtype=np.int64)
    # A row of background below, so that no run goes on from one column to the next.
    columns = np.zeros((width, height + 1), dtype=np.uint8)
    columns[:, :height] = cv2.transpose(inside).reshape(width, height)
    flat = columns.reshape(-1).view(np.bool_)
    bounds = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[0]:
        bounds = np.append(0, bounds)
    column, row = np.divmod(bounds, height + 1)
    places = (column + left) * shape[0] + (row + top)
    starts, stops = places[::2], places[1::2]
    if height == shape[0]:
        starts, stops = _joined(starts, stops)
    return _between(starts, stops, shape[0] * shape[1])
