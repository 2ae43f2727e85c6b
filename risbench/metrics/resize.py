"""A heat at the image's size: bilinear interpolation that equals torch's, bit for bit where it matters.

torch computes each pixel in float32, first along the row, then along the column, and each step as one fused
multiply-add: ``fma(a0, w0, round(a1 * w1))``. A mask cut at a threshold and the place of a maximum depend on these
roundings. `Upsampled` computes the whole picture once in plain float32 (fast, off by a few units in the last place)
and then recomputes exactly the few pixels whose answer the roundings could change: those beside the threshold and
those beside the maximum. Source: torch ``interpolate(mode="bilinear")`` on CPU, which a test compares bit for bit
(torch has another kernel, other in the last bit, where height and width of the result sum to at most 128 pixels).
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import NamedTuple

import numpy as np

_EPSILON = float(np.finfo(np.float32).eps)
_LOCAL = threading.local()


class Axis(NamedTuple):
    """Where each of ``n`` output pixels of one axis reads: two places and their float32 weights, ``(n,)`` each."""

    first: np.ndarray
    second: np.ndarray
    weight_first: np.ndarray
    weight_second: np.ndarray


@lru_cache(maxsize=256)
def axis(count_in: int, count_out: int, align_corners: bool) -> Axis:
    """The reading places along one axis, as torch computes them in float32."""
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
    """The whole heat at another size, every pixel exactly as torch computes it.

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
    # float64 holds the product of two float32 exactly, so one rounding is left: that of a fused multiply-add.
    return (a.astype(np.float64) * weight_a + (b * weight_b).astype(np.float64)).astype(np.float32)


class Upsampled:
    """A heat at the image's size, asked for its maximum and for the pixels at or above a value.

    Attributes:
        values: float32 ``(H, W)``, within a few units in the last place of torch's (of the heat's largest value);
            borrowed until this thread makes the next `Upsampled`.
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
        self.values = _rough(self._heat, size, self._rows, self._columns)

    def _slack(self, value: float) -> float:
        # The smallest normal number covers what underflows.
        return self._absolute + self._relative * abs(value) + 1e-37

    def exact(self, places: np.ndarray) -> np.ndarray:
        """torch's values, float32 ``(n,)``, at flat places ``(n,)``."""
        row, column = np.divmod(places, self._size[1])
        rows, columns, heat = self._rows, self._columns, self._heat
        left, right = columns.first[column], columns.second[column]
        upper, lower = rows.first[row], rows.second[row]
        weights = columns.weight_first[column], columns.weight_second[column]
        above = _fused(heat[upper, left], weights[0], heat[upper, right], weights[1])
        below = _fused(heat[lower, left], weights[0], heat[lower, right], weights[1])
        return _fused(above, rows.weight_first[row], below, rows.weight_second[row])

    def largest(self) -> np.float32:
        """torch's maximum."""
        return self._extreme(1)[0]

    def first_largest(self, same: np.float32 | None = None) -> int:
        """The flat place of the first value at or above ``same``, which is near the maximum or the maximum itself."""
        largest, places, exact = self._extreme(1)
        return int(places[np.argmax(exact >= (largest if same is None else same))])

    def first_smallest(self, same: np.float32 | None = None) -> int:
        """The flat place of the first value at or below ``same``, which is near the minimum or the minimum itself."""
        smallest, places, exact = self._extreme(-1)
        return int(places[np.argmax(exact <= (smallest if same is None else same))])

    def smallest(self) -> np.float32:
        """torch's minimum."""
        return self._extreme(-1)[0]

    def _extreme(self, sign: int) -> tuple[np.float32, np.ndarray, np.ndarray]:
        if self._plain:
            return np.float32(0), np.zeros(1, np.int64), np.zeros(1, np.float32)
        flat = self.values.reshape(-1)
        rough = float(flat.max() if sign > 0 else flat.min())
        # Twice the slack of rounding, and room for values that a division makes equal.
        slack = 2 * self._slack(rough) + 4 * _EPSILON * abs(rough)
        places = np.flatnonzero(flat >= rough - slack if sign > 0 else flat <= rough + slack)
        exact = self.exact(places)
        return (exact.max() if sign > 0 else exact.min()), places, exact

    def at_least(self, cut: np.float32) -> np.ndarray:
        """The pixels whose torch value is at or above ``cut``: a new bool ``(H, W)``."""
        if self._plain:
            return np.full(self._size, bool(cut <= 0))
        slack = 2 * self._slack(float(cut))
        mask = self.values >= np.float32(float(cut) - slack)
        sure = self.values > np.float32(float(cut) + slack)
        if np.count_nonzero(mask) != np.count_nonzero(sure):
            doubtful = np.flatnonzero(mask ^ sure)
            mask.reshape(-1)[doubtful] = self.exact(doubtful) >= cut
        return mask


def _rough(heat: np.ndarray, size: tuple[int, int], rows: Axis, columns: Axis) -> np.ndarray:
    """Plain float32 interpolation into this thread's buffers; both gathers run along contiguous rows."""
    import cv2

    width = size[1]
    turned = cv2.transpose(heat).reshape(heat.shape[1], heat.shape[0])
    wide, wide_second = _room("wide", (width, heat.shape[0])), _room("wide second", (width, heat.shape[0]))
    np.take(turned, columns.first, axis=0, out=wide, mode="clip")
    np.take(turned, columns.second, axis=0, out=wide_second, mode="clip")
    wide *= columns.weight_first[:, None]
    wide_second *= columns.weight_second[:, None]
    wide += wide_second
    lines = cv2.transpose(wide).reshape(heat.shape[0], width)
    tall, tall_second = _room("tall", size), _room("tall second", size)
    np.take(lines, rows.first, axis=0, out=tall, mode="clip")
    np.take(lines, rows.second, axis=0, out=tall_second, mode="clip")
    tall *= rows.weight_first[:, None]
    tall_second *= rows.weight_second[:, None]
    tall += tall_second
    return tall


def _room(name: str, shape: tuple[int, int]) -> np.ndarray:
    # Fresh megabytes for every heat cost more (page faults) than the arithmetic; each thread keeps its own.
    rooms = _LOCAL.__dict__.setdefault("rooms", {})
    room = rooms.get(name)
    if room is None or room.size < shape[0] * shape[1]:
        room = rooms[name] = np.empty(shape[0] * shape[1], np.float32)
    return room[: shape[0] * shape[1]].reshape(shape)
