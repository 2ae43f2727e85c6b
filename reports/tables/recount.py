"""The rows of runs, read once, and whether they agree with the summaries."""

from __future__ import annotations

from pathlib import Path

from risbench import Run
from risbench.results.columns.rowcolumns import RowColumns
from risbench.results.folder import ROWS
from risbench.statistics.changes import Change, changes_of


class Recount:
    """Reads each run's rows when they are first needed."""

    def __init__(self) -> None:
        self._rows: dict[Path, RowColumns] = {}
        self._changes: dict[Path, tuple[Change, ...]] = {}

    def has_rows(self, run: Run) -> bool:
        """Whether the run has rows; a summary alone can be printed, but not tested."""
        return (run.path / ROWS).is_file()

    def rows(self, run: Run) -> RowColumns:
        """The rows, in the split's order."""
        if run.path not in self._rows:
            columns = run.columns()
            for other in self._rows.values():
                columns = columns.like(other)  # runs of one split share their ids
            self._rows[run.path] = columns
        return self._rows[run.path]

    def changes(self, run: Run) -> tuple[Change, ...]:
        """The disagreements between the files of a run; see `risbench.statistics.changes`."""
        if run.path not in self._changes:
            self._changes[run.path] = changes_of(run, self.rows(run) if self.has_rows(run) else None)
        return self._changes[run.path]
