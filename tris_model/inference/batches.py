"""Process items in batches, and halve the batch size when the device runs out of memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from risbench.errors import RisbenchError

Item = TypeVar("Item")
Result = TypeVar("Result")


class BatchSize:
    """A batch size that is halved when memory runs out; it never grows again.

    Attributes:
        size: the current number of items per batch.
    """

    def __init__(self, size: int):
        self.size = max(1, size)

    def over(self, items: Sequence[Item], work: Callable[[Sequence[Item]], Result]) -> Iterator[Result]:
        """Apply ``work`` to successive slices of ``items``.

        Warns:
            RuntimeWarning: each time the size is halved.

        Raises:
            RisbenchError: a single item does not fit into memory.
        """
        start = 0
        while start < len(items):
            result = self._attempt(items[start : start + self.size], work)
            if result is not None:
                start += self.size
                yield result[0]
                continue
            if self.size == 1:
                raise RisbenchError("one image alone does not fit into the GPU's memory; use --device cpu")
            self.size //= 2
            warnings.warn(
                f"the GPU ran out of memory; continuing with {self.size} images per batch (--set batch={self.size})",
                RuntimeWarning,
                stacklevel=2,
            )
            torch.cuda.empty_cache()

    @staticmethod
    def _attempt(items: Sequence[Item], work: Callable[[Sequence[Item]], Result]) -> tuple[Result] | None:
        # A separate function: a live exception keeps its frames, and these keep the memory.
        try:
            return (work(items),)
        except torch.OutOfMemoryError:
            return None
