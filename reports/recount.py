"""The rows of runs, read once, and what they say of a metric: a table is only as good as its rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from risbench import Run
from risbench.metrics.names import Metric
from risbench.results.folder import ROWS
from risbench.results.rows import Row, columns_of


class Recount:
    """Reads each run's rows when they are first asked for."""

    def __init__(self) -> None:
        self._rows: dict[Path, list[Row]] = {}
        self._columns: dict[Path, Mapping[str, np.ndarray]] = {}

    def has_rows(self, run: Run) -> bool:
        """Whether the rows are at hand; a summary alone can be printed, but not tested."""
        return (run.path / ROWS).is_file()

    def rows(self, run: Run) -> list[Row]:
        """The rows, in the split's order."""
        if run.path not in self._rows:
            self._rows[run.path] = run.rows()
        return self._rows[run.path]

    def value(self, run: Run, metric: Metric) -> float | None:
        """The metric over all rows, a fraction; None where nothing counts."""
        if run.path not in self._columns:
            self._columns[run.path] = columns_of(self.rows(run))
        columns = self._columns[run.path]
        if not metric.counted(columns):
            return None
        above, below = (math.fsum(terms) for terms in metric.terms(columns))
        return above / below if below else 0.0
