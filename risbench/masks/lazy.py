"""A mask of which pixels, rectangle and run lengths are each made only where something needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import MaskError
from ..records import RLE, CodedMask
from . import codes
from .runlengths import layered, without_empty
from .windows import Surrounding, cut_out, drawn, of_one_piece, runs_of_columns, shared_pixels, turned


class LazyMask:
    """A mask that began as pixels or as run lengths; ``numpy.asarray`` of it is bool ``(H, W)``.

    Scoring a mask that came as a code needs few of its pixels: overlaps are counted on run lengths, contours are found
    within the rectangle round the mask, and the code is written as it came.
    """

    __slots__ = ("_area", "_code", "_pixels", "_runs", "_shape", "_turned", "_window")

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        pixels: np.ndarray | None = None,
        runs: np.ndarray | None = None,
        code: str | None = None,
        columns: np.ndarray | None = None,
    ) -> None:
        """Use `of_pixels`, `of_code` or `of_parts`; pixels, runs or turned pixels ``(W, H)`` must be given."""
        self._shape = shape
        self._pixels, self._runs, self._code = pixels, runs, code
        self._area: int | None = None
        self._window: tuple[int, int, np.ndarray] | None = None
        self._turned: tuple[int, int, np.ndarray] | None = None
        if columns is not None:
            top, left, inside = cut_out(columns)
            self._turned = left, top, inside

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
        if mask.flags.f_contiguous and not mask.flags.c_contiguous:
            return LazyMask((mask.shape[0], mask.shape[1]), columns=mask.T)
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
        return LazyMask(size, runs=layered([codes.runs_of(part) for part in parts], size[0] * size[1], once))

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
            if self._runs is not None:
                self._area = int(self._runs[1::2].sum())
            else:
                self._area = int(np.count_nonzero(self._columns[2] if self._pixels is None else self._pixels))
        return self._area

    @property
    def runs(self) -> np.ndarray:
        """Lengths of background and mask by turns, column by column: int64 ``(n,)``."""
        if self._runs is None:
            self._runs = runs_of_columns(*self._columns, self.shape)
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
            self._window = cut_out(self._pixels) if self._pixels is not None else turned(*self._columns)
        return self._window

    @property
    def surrounding(self) -> Surrounding:
        """A rectangle that holds the mask, in whichever form is at hand."""
        if self._window is not None:
            return Surrounding(*self._window, is_turned=False)
        if self._pixels is not None:
            return Surrounding(0, 0, np.ascontiguousarray(self._pixels).view(np.uint8), is_turned=False)
        return Surrounding(*self._columns, is_turned=True)

    @property
    def one_piece(self) -> tuple[int, int, int, int] | None:
        """The rectangle ``(x, y, width, height)`` of a mask whose runs show that it is one component without holes.

        None where they do not show it, or where there are pixels and no runs.
        """
        return None if self._runs is None else of_one_piece(self._full_runs, self.shape)

    def covers(self, row: int, column: int) -> bool:
        """Whether a pixel belongs to the mask; one outside the image does not."""
        if not (0 <= row < self.shape[0] and 0 <= column < self.shape[1]):
            return False
        if self._pixels is not None:
            return bool(self._pixels[row, column])
        if self._runs is None:
            left, top, inside = self._columns
            at = column - left, row - top
            return min(at) >= 0 and at[0] < inside.shape[0] and at[1] < inside.shape[1] and bool(inside[at])
        ends = np.cumsum(self.runs)
        return bool(np.searchsorted(ends, column * self.shape[0] + row, side="right") % 2)

    def shared_with(self, other: LazyMask) -> int:
        """The number of pixels in both of two masks of one size."""
        if self._code is not None or (self._pixels is None and self._runs is not None):
            tools = codes.coco_tools()
            return int(tools.area(tools.merge([self._packed, other._packed], intersect=True)))
        if self._pixels is None:
            return shared_pixels(self._columns, other._columns)
        left, top, inside = other.window
        return shared_pixels((0, 0, self._pixels), (top, left, inside))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The pixels; see ``numpy.asarray``."""
        pixels = self.pixels if dtype is None else self.pixels.astype(dtype)
        return pixels.copy() if copy and dtype is None else pixels

    @property
    def _columns(self) -> tuple[int, int, np.ndarray]:
        """`window` with rows and columns exchanged, as run lengths count."""
        if self._turned is None:
            self._turned = turned(*self.window) if self._runs is None else drawn(self._full_runs, self.shape)
        return self._turned

    @property
    def _full_runs(self) -> np.ndarray:
        """The runs, none of which but the first has length 0; a code may have such, pixels never."""
        if self._runs is None or self._code is None:
            self._runs = without_empty(self.runs)
        return self._runs

    @property
    def _packed(self) -> dict[str, Any]:
        """The code as pycocotools takes it."""
        return {"size": [*self.shape], "counts": self.code["counts"].encode("ascii")}
