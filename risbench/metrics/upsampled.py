"""A heat at the image's size without computing all of it: its extremes, and the pixels at or above a value.

`risbench.metrics.resize` defines every pixel to the last bit, and the results here are those of the definition. Where a
pixel surely lies on one side of a value, the definition is not computed for it. Two ways tell this:

- by cells: a pixel is a mean of four neighbours in the heat. Where all four lie on one side, so does the pixel; what is
  left is the edge of a mask, and the surroundings of a maximum.
- by plain values: where cells are of no use (noise, a heat larger than the image, many thresholds), the image is
  computed once in plain float32, which may be wrong by a few units in the last place.

The bound on the error of plain values is proved in `Upsampled._slack`.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import numpy as np

from .resize import LARGEST, axis, fused, interpolated

_EPSILON = float(np.finfo(np.float32).eps)
_NEARLY_LARGEST = 1e38  # above it, rounding errors may reach beyond the largest number
_CUTS = 2  # thresholds from which on the whole image is worth while
_DOUBTFUL = 0.1  # the share of pixels from which on the whole image is faster
_BLOCK = 20_000  # pixels of a block
_FEW = 200  # flags that are faster found one by one than all together
_LOCAL = threading.local()


class Upsampled:
    """A heat at the image's size, from which the maximum and the pixels at or above a value are found.

    Attributes:
        values: float32 ``(H, W)``, within `_slack` of the definition. They depend on how the machine adds, so no
            result may be taken from them directly.
    """

    def __init__(self, heat: np.ndarray, size: tuple[int, int], *, align_corners: bool) -> None:
        self._heat = np.ascontiguousarray(heat, dtype=np.float32)
        self._rows = axis(self._heat.shape[0], size[0], align_corners)
        self._columns = axis(self._heat.shape[1], size[1], align_corners)
        self._size = size
        low, high = float(self._heat.min()), float(self._heat.max())
        # Without a change of sign nothing cancels, so the error is relative to the pixel; zeros stay zeros.
        self._relative = 8 * _EPSILON if low >= 0 or high <= 0 else 0.0
        self._absolute = 0.0 if self._relative else 8 * _EPSILON * max(abs(low), abs(high))
        self._plain = low == high == 0
        self._extremes: dict[int, tuple[np.float32, np.ndarray, np.ndarray]] = {}
        self._is_huge = max(abs(low), abs(high)) > _NEARLY_LARGEST
        # Cells are worth while where they are larger than pixels.
        self._by_cells = not self._is_huge and self._heat.size <= size[0] * size[1]
        self._align_corners = align_corners
        self._values: np.ndarray | None = None
        self._cuts = 0

    @property
    def shape(self) -> tuple[int, int]:
        """``(H, W)`` of the image."""
        return self._size

    @property
    def values(self) -> np.ndarray:
        """Float32 ``(H, W)``, within `_slack` of the definition."""
        if self._values is None:
            self._values = _rough(self._heat, self._heat.shape, self._size, self._align_corners)
            if self._is_huge:
                np.clip(self._values, -LARGEST, LARGEST, out=self._values)
        return self._values

    def _slack(self, value: float) -> float:
        """More than a pixel of `values` can differ from the definition where either is near ``value``.

        Let u be half of epsilon. One step weighs two numbers by ``1 - w`` and ``w``, rounds each product and the sum
        (or fewer of them, where the machine fuses), and so errs by at most ``2u`` of the weighted sum of magnitudes.
        Two steps err by ``4u``, in `values` as in the definition: they differ by at most ``8u``, which is 4 epsilon
        (and terms of order u squared). Where no sign changes, the sum of magnitudes is the pixel's own; elsewhere it
        is at most the heat's largest magnitude. Twice that is taken. Results below the smallest normal number,
        1.2e-38, may lose all their digits, or be flushed to zero: at most six such losses, together below 1e-37.
        """
        return self._absolute + self._relative * abs(value) + 1e-37

    def exact(self, places: np.ndarray) -> np.ndarray:
        """The definition's values, float32 ``(n,)``, at flat places ``(n,)``."""
        row, column = np.divmod(places, self._size[1])
        rows, columns, heat = self._rows, self._columns, self._heat
        left, right = columns.first[column], columns.second[column]
        upper, lower = rows.first[row], rows.second[row]
        weights = columns.weight_first[column], columns.weight_second[column]
        above = fused(heat[upper, left], weights[0], heat[upper, right], weights[1])
        below = fused(heat[lower, left], weights[0], heat[lower, right], weights[1])
        return fused(above, rows.weight_first[row], below, rows.weight_second[row])

    def largest(self) -> np.float32:
        """The maximum."""
        return self._extreme(1)[0]

    def first_largest(self, same: np.float32 | None = None) -> int:
        """The flat place of the first value at or above ``same``, by default the maximum."""
        largest, places, exact = self._extreme(1)
        if same is not None and not _beside(same, largest):
            return int(np.argmax(self.at_least(same)))
        return int(places[np.argmax(exact >= (largest if same is None else same))])

    def smallest(self) -> np.float32:
        """The minimum."""
        return self._extreme(-1)[0]

    def first_smallest(self, same: np.float32 | None = None) -> int:
        """The flat place of the first value at or below ``same``, by default the minimum."""
        smallest, places, exact = self._extreme(-1)
        if same is not None and not _beside(same, smallest):
            return int(np.argmin(self.at_least(np.nextafter(same, np.float32(np.inf)))))
        return int(places[np.argmax(exact <= (smallest if same is None else same))])

    def _extreme(self, sign: int) -> tuple[np.float32, np.ndarray, np.ndarray]:
        """The exact maximum (1) or minimum (-1), and the places and exact values of all that come near it."""
        if sign not in self._extremes:
            self._extremes[sign] = self._find_extreme(sign)
        return self._extremes[sign]

    def _find_extreme(self, sign: int) -> tuple[np.float32, np.ndarray, np.ndarray]:
        if self._plain:
            return np.float32(0), np.zeros(1, np.int64), np.zeros(1, np.float32)
        if self._by_cells and self._values is None and (found := self._extreme_nearby(sign)) is not None:
            return found
        flat = self.values.reshape(-1)
        rough = float(flat.max() if sign > 0 else flat.min())
        # Twice the slack of rounding, and room for values that a division makes equal; see `_beside`.
        slack = 2 * self._slack(rough) + 4 * _EPSILON * abs(rough)
        bound = _finite(rough - sign * slack)
        compare = np.greater_equal if sign > 0 else np.less_equal
        places = _places(compare(flat, bound, out=_room(self._size).reshape(-1)))
        exact = self.exact(places)
        return (exact.max() if sign > 0 else exact.min()), places, exact

    def _extreme_nearby(self, sign: int) -> tuple[np.float32, np.ndarray, np.ndarray] | None:
        """As `_find_extreme`, from the pixels beside the heat's own extreme values; None if these are far apart.

        A pixel lies between the four numbers of its cell, but for its slack. So where all four stay below a value that
        some pixel has, the pixel is not the maximum.
        """
        heat, width = self._heat, self._heat.shape[1]
        best = divmod(int(heat.argmax() if sign > 0 else heat.argmin()), width)
        block = self._readers(*best, *best)
        values = self._block(block)
        if not values.size:
            return None
        near = float(values.max() if sign > 0 else values.min())
        bound = _finite(near - sign * (2 * self._slack(near) + 4 * _EPSILON * abs(near)))
        places = _places((heat >= bound if sign > 0 else heat <= bound).reshape(-1))
        if places.size > _FEW:
            return None
        rows, columns = np.divmod(places, width)
        block = self._readers(int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max()))
        top, left, bottom, right = block
        if (bottom - top) * (right - left) > _BLOCK:
            return None
        exact = self._block(block).reshape(-1)
        found = (np.arange(top, bottom)[:, None] * self._size[1] + np.arange(left, right)).reshape(-1)
        return (exact.max() if sign > 0 else exact.min()), found, exact

    def _readers(self, top: int, left: int, bottom: int, right: int) -> tuple[int, int, int, int]:
        """The block of pixels that read any of a block of the heat's numbers, whose ends are inclusive; ends open."""
        rows, columns = self._rows.first, self._columns.first
        first_row, first_column = np.searchsorted(rows, top - 1), np.searchsorted(columns, left - 1)
        last_row, last_column = np.searchsorted(rows, bottom, "right"), np.searchsorted(columns, right, "right")
        return int(first_row), int(first_column), int(last_row), int(last_column)

    def _block(self, block: tuple[int, int, int, int]) -> np.ndarray:
        """The definition's values of a block of pixels."""
        top, left, bottom, right = block
        if top == bottom or left == right:
            return np.zeros((bottom - top, right - left), dtype=np.float32)
        rows, columns = self._rows.part(top, bottom), self._columns.part(left, right)
        first = int(rows.first[0])  # no row of the heat above it is read
        return interpolated(
            self._heat[first : int(rows.second[-1]) + 1],
            rows._replace(first=rows.first - first, second=rows.second - first),
            columns,
        )

    def _cut_by_cells(self, cut: np.float32, slack: float) -> np.ndarray | None:
        """As `at_least`, from the cells of four numbers; None if too many hold numbers on both sides."""
        some = self._heat >= _finite(float(cut) - slack)
        every = self._heat > _finite(float(cut) + slack)
        # A cell's number of numbers: its own, the one to its right, and the two below, as far as there are any.
        some[:-1] |= some[1:]
        some[:, :-1] |= some[:, 1:]
        every[:-1] &= every[1:]
        every[:, :-1] &= every[:, 1:]
        state = _spread(some.view(np.uint8) + every.view(np.uint8), self._rows.first, self._columns.first)
        is_doubtful = np.equal(state, 1, out=_room(self._size))
        if np.count_nonzero(is_doubtful) > _DOUBTFUL * state.size:
            return None
        mask = state == 2
        doubtful = _places(is_doubtful.reshape(-1))
        values = self._plainly(doubtful)
        flat = mask.reshape(-1)
        flat[doubtful] = values >= cut
        if (near := np.flatnonzero(np.abs(values - cut) <= _finite(slack))).size:
            flat[doubtful[near]] = self.exact(doubtful[near]) >= cut
        return mask

    def _plainly(self, places: np.ndarray) -> np.ndarray:
        """`values` at flat places, float32 ``(n,)``, where the whole image is not worth while."""
        rows, columns, width = self._rows, self._columns, self._heat.shape[1]
        row = places // self._size[1]
        column = places - row * self._size[1]
        upper, lower = (rows.first * width)[row], (rows.second * width)[row]
        left, right = columns.first[column], columns.second[column]
        weight_left, weight_right = columns.weight_first[column], columns.weight_second[column]
        numbers = self._heat.reshape(-1)
        above = numbers[upper + left] * weight_left + numbers[upper + right] * weight_right
        below = numbers[lower + left] * weight_left + numbers[lower + right] * weight_right
        return above * rows.weight_first[row] + below * rows.weight_second[row]

    def at_least(self, cut: np.float32) -> np.ndarray:
        """The pixels whose value is at or above ``cut``: a new bool ``(H, W)``."""
        if self._plain:
            return np.full(self._size, bool(cut <= 0))
        self._cuts += 1
        slack = 2 * self._slack(float(cut))
        is_early = self._by_cells and self._values is None and self._cuts <= _CUTS
        if is_early and (found := self._cut_by_cells(cut, slack)) is not None:
            return found
        mask = self.values >= _finite(float(cut) - slack)
        sure = np.greater(self.values, _finite(float(cut) + slack), out=_room(self._size))
        doubtful = _places(np.logical_xor(mask, sure, out=sure).reshape(-1))
        if doubtful.size:
            mask.reshape(-1)[doubtful] = self.exact(doubtful) >= cut
        return mask


def _places(flags: np.ndarray) -> np.ndarray:
    """Where flags, bool ``(n,)``, are True; fast where few are, which are found as characters of a text are."""
    count = np.count_nonzero(flags)
    if count <= _FEW:
        found = np.empty(count, dtype=np.int64)
        text, place = flags.tobytes() if count else b"", -1
        for turn in range(count):
            found[turn] = place = text.find(1, place + 1)
        return found
    return np.flatnonzero(flags)


def _finite(value: float) -> np.float32:
    """The nearest finite float32."""
    return np.float32(min(max(value, -LARGEST), LARGEST))


def _beside(value: np.float32, extreme: np.float32) -> bool:
    """Whether a value is so near an extreme that `Upsampled` holds all pixels between the two."""
    return abs(float(value) - float(extreme)) <= 2 * _EPSILON * abs(float(extreme))


def _rough(heat: np.ndarray, shape: tuple[int, int], size: tuple[int, int], align_corners: bool) -> np.ndarray:
    """Plain float32 interpolation. A sparse product adds contiguous rows, so the heat is transposed first."""
    import cv2

    wide = _matrix(shape[1], size[1], align_corners) @ cv2.transpose(heat).reshape(shape[1], shape[0])
    return _matrix(shape[0], size[0], align_corners) @ cv2.transpose(wide).reshape(shape[0], size[1])


@lru_cache(maxsize=256)
def _matrix(count_in: int, count_out: int, align_corners: bool) -> Any:
    """One axis as a sparse matrix ``(count_out, count_in)`` with two weights in each row."""
    from scipy.sparse import csr_array

    first, second, weight_first, weight_second = axis(count_in, count_out, align_corners)
    weights = np.stack([weight_first, weight_second], axis=1).reshape(-1)
    places = np.stack([first, second], axis=1).reshape(-1).astype(np.int32)
    return csr_array((weights, places, np.arange(0, 2 * count_out + 1, 2, dtype=np.int32)), (count_out, count_in))


def _spread(cells: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """``cells[rows][:, columns]`` of bytes. Whole rows are copied faster than bytes of rows, so it is turned twice."""
    import cv2

    height, width = cells.shape
    turned = cv2.transpose(cells).reshape(width, height)[columns]
    return cv2.transpose(turned).reshape(height, len(columns))[rows]


def _room(size: tuple[int, int]) -> np.ndarray:
    # A fresh picture for every heat costs more (page faults) than the comparison; each thread keeps one.
    count = size[0] * size[1]
    room = getattr(_LOCAL, "room", None)
    if room is None or room.size < count:
        room = _LOCAL.room = np.empty(count, np.bool_)
    return room[:count].reshape(size)
