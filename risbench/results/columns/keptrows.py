"""The rows of a run while it is made: the last ones as they came, all before them as columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..rows import Row
from .rowcolumns import RowColumns

_PIECE = 8192  # rows that become columns together


class KeptRows:
    """Rows in the order they came; a million of them take a hundred megabytes."""

    def __init__(self, columns: RowColumns | None = None) -> None:
        """Start with the rows that are there already."""
        self._parts = [] if columns is None else [columns]
        self._last: list[Row] = []
        self._count = 0 if columns is None else len(columns)

    def __len__(self) -> int:
        return self._count

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows."""
        before = len(self._last)
        self._last.extend(rows)
        self._count += len(self._last) - before
        if len(self._last) >= _PIECE:
            self._pack()

    def columns(self) -> RowColumns:
        """What statistics read of all rows."""
        self._pack()
        if len(self._parts) != 1:
            self._parts = [RowColumns.joined(self._parts)]
        return self._parts[0]

    def keep(self, wanted: np.ndarray) -> None:
        """Keep some of the rows, bool ``(n,)``, and forget the others."""
        if not wanted.all():
            columns = self.columns().take(np.flatnonzero(wanted))
            self._parts, self._count = [columns], len(columns)

    def _pack(self) -> None:
        if self._last:
            self._parts.append(RowColumns.of(self._last))
            self._last = []
