"""Resize a heat to the image's size: bilinear interpolation, defined here to the last bit.

This file is the definition: the same heat gives the same bits on every machine, whichever torch, numpy or BLAS is
installed. When an axis of ``n`` pixels becomes one of ``m``, output pixel ``i`` reads the input at the position

- ``i * fl((n - 1) / (m - 1))`` with aligned corners, and
- ``max((i + 0.5) * fl(n / m) - 0.5, 0)`` with half-pixel centres,

where every operation is rounded to float32 (``fl``). The two pixels ``a`` and ``b`` beside that position get the
weights ``1 - w`` and ``w``, first along the row and then along the column, each time as ``fl(a * (1 - w) + fl(b *
w))``; the product and the sum in the outer brackets are float64. Numbers too large for float32 become its largest
number. Only operations that IEEE 754 rounds one by one are used, so compilers, the order of summation and fused
instructions change nothing. `bilinear` computes exactly this for the whole image.

`Upsampled` gives the same results faster. It computes the image once in plain float32, which may be wrong by a few
units in the last place. Then it computes the definition for the pixels whose result could change: those near the
threshold and those near the maximum. The bound on the error is proved in `Upsampled._slack`.

torch's ``interpolate(mode="bilinear")`` computes the same formula but rounds it in several ways. Its vectorised CPU
kernel gives the same bits with aligned corners (torch 2.14 and 2.15) and, in torch 2.15, with half-pixel centres.
torch 2.14 rounds ``(i + 0.5) * scale - 0.5`` once, processors without AVX2 round each product, and small results
(height plus width at most 128) use another kernel. A test checks that all of them are close to this file.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

_EPSILON = float(np.finfo(np.float32).eps)
_LARGEST = float(np.finfo(np.float32).max)
_NEARLY_LARGEST = 1e38  # above it, rounding errors may reach beyond the largest number
_SINGLY = 8  # places whose values are faster computed one by one than all together
_FEW = 200  # flags that are faster found one by one than all together
_LOCAL = threading.local()


class Axis(NamedTuple):
    """Where each of ``n`` output pixels of one axis reads: two places and their float32 weights, ``(n,)`` each."""

    first: np.ndarray
    second: np.ndarray
    weight_first: np.ndarray
    weight_second: np.ndarray


@lru_cache(maxsize=256)
def axis(count_in: int, count_out: int, align_corners: bool) -> Axis:
    """The reading places along one axis, rounded to float32 after each operation."""
    place = np.arange(count_out, dtype=np.float32)
    if align_corners:
        scale = np.float32((count_in - 1) / (count_out - 1)) if count_out > 1 else np.float32(0)
        source = place * scale
    else:
        scale = np.float32(count_in / count_out)
        source = np.maximum((place + np.float32(0.5)) * scale - np.float32(0.5), np.float32(0))
    first = np.minimum(source.astype(np.int64), count_in - 1)
    second = np.minimum(first + 1, count_in - 1)
    weight_second = np.clip(source - first.astype(np.float32), np.float32(0), np.float32(1))
    return Axis(first, second, np.float32(1) - weight_second, weight_second)


def bilinear(heat: np.ndarray, size: tuple[int, int], *, align_corners: bool) -> np.ndarray:
    """The whole heat at another size, by the definition.

    Args:
        heat: float32 ``(h, w)``.
        size: ``(H, W)`` of the result.
        align_corners: corners on corners, or pixel centres by halves.

    Returns:
        float32 ``(H, W)``.
    """
    rows, columns = axis(heat.shape[0], size[0], align_corners), axis(heat.shape[1], size[1], align_corners)
    along = _fused(heat[:, columns.first], columns.weight_first, heat[:, columns.second], columns.weight_second)
    return _fused(along[rows.first], rows.weight_first[:, None], along[rows.second], rows.weight_second[:, None])


def _fused(a: np.ndarray, weight_a: np.ndarray, b: np.ndarray, weight_b: np.ndarray) -> np.ndarray:
    # float64 holds the product of two float32 exactly. What is left is nearly one rounding, that of a fused
    # multiply-add: the sum is rounded to float64 first.
    total = a.astype(np.float64) * weight_a + (b * weight_b).astype(np.float64)
    return np.clip(total, -_LARGEST, _LARGEST, out=total).astype(np.float32)


def _fused_numbers(a: float, weight_a: float, b: float, weight_b: float) -> float:
    """`_fused` of single numbers, each of which float32 holds."""
    total = a * weight_a + float(np.float32(b * weight_b))
    return float(np.float32(min(max(total, -_LARGEST), _LARGEST)))


class Upsampled:
    """A heat at the image's size, from which the maximum and the pixels at or above a value are found.

    Attributes:
        values: float32 ``(H, W)``, within `_slack` of the definition. They depend on how the machine adds, so no
            result may be taken from them directly. In memory they lie column by column, as run lengths count.
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
        self._turned = _rough(self._heat, self._heat.shape, size, align_corners)  # (W, H)
        if max(abs(low), abs(high)) > _NEARLY_LARGEST:
            np.clip(self._turned, -_LARGEST, _LARGEST, out=self._turned)
        self.values: np.ndarray = self._turned.T

    def _slack(self, value: float) -> float:
        """More than a pixel of `values` can differ from the definition where either is near ``value``.

        Let u be half of epsilon. One step weighs two numbers by ``1 - w`` and ``w``, rounds each product and the sum
        (or fewer of them, where the machine fuses), and so errs by at most ``2u`` of the weighted sum of magnitudes.
        Two steps err by ``4u``, whichever axis comes first, in `values` as in the definition: they differ by at most
        ``8u``, which is 4 epsilon (and terms of order u squared). Where no sign changes, the sum of magnitudes is the
        pixel's own; elsewhere it is at most the heat's largest magnitude. Twice that is taken. Results below the
        smallest normal number, 1.2e-38, may lose all their digits, or be flushed to zero: at most six such losses,
        together below 1e-37.
        """
        return self._absolute + self._relative * abs(value) + 1e-37

    def exact(self, places: np.ndarray) -> np.ndarray:
        """The definition's values, float32 ``(n,)``, at flat places ``(n,)``."""
        if places.size <= _SINGLY:
            return np.array([self._value_at(place) for place in places.tolist()], dtype=np.float32)
        row, column = np.divmod(places, self._size[1])
        rows, columns, heat = self._rows, self._columns, self._heat
        left, right = columns.first[column], columns.second[column]
        upper, lower = rows.first[row], rows.second[row]
        weights = columns.weight_first[column], columns.weight_second[column]
        above = _fused(heat[upper, left], weights[0], heat[upper, right], weights[1])
        below = _fused(heat[lower, left], weights[0], heat[lower, right], weights[1])
        return _fused(above, rows.weight_first[row], below, rows.weight_second[row])

    def _value_at(self, place: int) -> float:
        """`exact` of one place."""
        row, column = divmod(place, self._size[1])
        rows, columns = self._rows, self._columns
        left, right = columns.first[column], columns.second[column]
        across = float(columns.weight_first[column]), float(columns.weight_second[column])
        above, below = (
            _fused_numbers(float(line[left]), across[0], float(line[right]), across[1])
            for line in (self._heat[rows.first[row]], self._heat[rows.second[row]])
        )
        return _fused_numbers(above, float(rows.weight_first[row]), below, float(rows.weight_second[row]))

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
        flat = self._turned.reshape(-1)
        rough = float(flat.max() if sign > 0 else flat.min())
        # Twice the slack of rounding, and room for values that a division makes equal; see `_beside`.
        slack = 2 * self._slack(rough) + 4 * _EPSILON * abs(rough)
        bound = _finite(rough - sign * slack)
        compare = np.greater_equal if sign > 0 else np.less_equal
        places = np.sort(self._by_rows(_places(compare(flat, bound, out=_room(flat.size)))))
        exact = self.exact(places)
        return (exact.max() if sign > 0 else exact.min()), places, exact

    def at_least(self, cut: np.float32) -> np.ndarray:
        """The pixels whose value is at or above ``cut``: a new bool ``(H, W)``, in memory column by column."""
        if self._plain:
            return np.full(self._size, bool(cut <= 0), order="F")
        slack = 2 * self._slack(float(cut))
        flat = self._turned.reshape(-1)
        mask = flat >= _finite(float(cut) - slack)
        sure = np.greater(flat, _finite(float(cut) + slack), out=_room(flat.size))
        doubtful = _places(np.logical_xor(mask, sure, out=sure))
        if doubtful.size:
            mask[doubtful] = self.exact(self._by_rows(doubtful)) >= cut
        return mask.reshape(self._turned.shape).T

    def _by_rows(self, places: np.ndarray) -> np.ndarray:
        """Flat places of an image that lies row by row, from those of one that lies column by column."""
        column, row = np.divmod(places, self._size[0])
        return row * self._size[1] + column


def _places(flags: np.ndarray) -> np.ndarray:
    """Where flags, bool ``(n,)``, are True; fast where few are, which are found as characters of a text are."""
    count = np.count_nonzero(flags)
    if count > _FEW:
        return np.flatnonzero(flags)
    found = np.empty(count, dtype=np.int64)
    text, place = flags.tobytes() if count else b"", -1
    for turn in range(count):
        found[turn] = place = text.find(1, place + 1)
    return found


def _finite(value: float) -> np.float32:
    """The nearest finite float32."""
    return np.float32(min(max(value, -_LARGEST), _LARGEST))


def _beside(value: np.float32, extreme: np.float32) -> bool:
    """Whether a value is so near an extreme that `Upsampled` holds all pixels between the two."""
    return abs(float(value) - float(extreme)) <= 2 * _EPSILON * abs(float(extreme))


def _rough(heat: np.ndarray, shape: tuple[int, int], size: tuple[int, int], align_corners: bool) -> np.ndarray:
    """Plain float32 interpolation to ``(W, H)``. A sparse product adds contiguous rows, so one axis is turned first."""
    import cv2

    tall = _matrix(shape[0], size[0], align_corners) @ heat
    return _matrix(shape[1], size[1], align_corners) @ cv2.transpose(tall).reshape(shape[1], size[0])


@lru_cache(maxsize=256)
def _matrix(count_in: int, count_out: int, align_corners: bool) -> Any:
    """One axis as a sparse matrix ``(count_out, count_in)`` with two weights in each row."""
    from scipy.sparse import csr_array

    first, second, weight_first, weight_second = axis(count_in, count_out, align_corners)
    weights = np.stack([weight_first, weight_second], axis=1).reshape(-1)
    places = np.stack([first, second], axis=1).reshape(-1).astype(np.int32)
    return csr_array((weights, places, np.arange(0, 2 * count_out + 1, 2, dtype=np.int32)), (count_out, count_in))


def _room(count: int) -> np.ndarray:
    # Fresh flags for every heat cost more (page faults) than the comparison; each thread keeps some.
    room = getattr(_LOCAL, "room", None)
    if room is None or room.size < count:
        room = _LOCAL.room = np.empty(count, np.bool_)
    return room[:count]
