"""The progress of a run, and its scores so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..results.columns.rowcolumns import RowColumns
from ..results.rows import Row


class Progress(NamedTuple):
    """The progress of a run.

    Attributes:
        done: images done.
        total: images in all.
        expressions: expressions scored.
        miou, oiou: of the expressions that have a true mask, fractions.
    """

    done: int
    total: int
    expressions: int
    miou: float
    oiou: float


class Tally:
    """Running sums for the progress bar; the summary is computed from the rows."""

    def __init__(self, rows: RowColumns, total: int, done: int) -> None:
        self.total, self.done = total, done
        ious = rows.iou
        masked = ~np.isnan(ious)
        self.count, self.masked, self.iou = len(rows), int(masked.sum()), float(ious[masked].sum())
        self.both, self.either = int(rows.intersection[masked].sum()), int(rows.union[masked].sum())

    def add(self, rows: Sequence[Row], images: int = 0) -> None:
        """Count an image's rows."""
        self.done += images
        for row in rows:
            self.count += 1
            if row.iou is not None:
                self.masked += 1
                self.iou += row.iou
                self.both += row.intersection or 0
                self.either += row.union or 0

    def progress(self) -> Progress:
        """The progress so far."""
        miou, oiou = self.iou / max(1, self.masked), self.both / max(1, self.either)
        return Progress(self.done, self.total, self.count, miou, oiou)
