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

`risbench.metrics.upsampled.Upsampled` gives the same results faster.

torch's ``interpolate(mode="bilinear")`` computes the same formula but rounds it in several ways. Its vectorised CPU
kernel gives the same bits with aligned corners (torch 2.14 and 2.15) and, in torch 2.15, with half-pixel centres.
torch 2.14 rounds ``(i + 0.5) * scale - 0.5`` once, processors without AVX2 round each product, and small results
(height plus width at most 128) use another kernel. A test checks that all of them are close to this file.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

LARGEST = float(np.finfo(np.float32).max)


class Axis(NamedTuple):
    """Where each of ``n`` output pixels of one axis reads: two places and their float32 weights, ``(n,)`` each."""

    first: np.ndarray
    second: np.ndarray
    weight_first: np.ndarray
    weight_second: np.ndarray

    def part(self, start: int, stop: int) -> Axis:
        """Some of the pixels."""
        return Axis(*(each[start:stop] for each in self))


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
    return interpolated(heat, rows, columns)


def interpolated(heat: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    """The pixels of some rows and columns, float32 ``(rows, columns)``, from where they read."""
    along = fused(heat[:, columns.first], columns.weight_first, heat[:, columns.second], columns.weight_second)
    return fused(along[rows.first], rows.weight_first[:, None], along[rows.second], rows.weight_second[:, None])


def fused(a: np.ndarray, weight_a: np.ndarray, b: np.ndarray, weight_b: np.ndarray) -> np.ndarray:
    """``a * weight_a + b * weight_b`` of float32 arrays, with the roundings of the definition."""
    # float64 holds the product of two float32 exactly. What is left is nearly one rounding, that of a fused
    # multiply-add: the sum is rounded to float64 first.
    total = a.astype(np.float64) * weight_a + (b * weight_b).astype(np.float64)
    return np.clip(total, -LARGEST, LARGEST, out=total).astype(np.float32)
