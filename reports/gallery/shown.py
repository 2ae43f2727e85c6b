"""Which expressions a page shows: all, or those of some images where a page of all could not be opened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from risbench import Run
from risbench.plain import counted
from risbench.results.folder import ROWS
from risbench.results.rows import Row, read_rows
from risbench.statistics.summary import clusters

from ..about import common_columns, common_rows


def shown_rows(runs: Sequence[Run], most: int) -> tuple[list[dict[str, Row]], int, str | None]:
    """The rows that the page shows.

    Args:
        runs: of one split.
        most: about how many expressions are shown at most.

    Returns:
        Each run's rows by id, the number of expressions that not every run has, and, where only a part is shown,
        which it is, as a sentence without its full stop.

    Raises:
        DataError: the runs have no expression in common.
    """
    if max(run.summary["count"] for run in runs) <= most:
        return *common_rows(runs), None
    columns, left_out = common_columns(runs)
    total = len(columns[0])
    image_of = clusters(columns[0].image_id)
    images = int(image_of.max()) + 1
    shown = spread_evenly(images, max(1, images * most // total))
    places = np.flatnonzero(np.isin(image_of, shown))
    wanted = set(columns[0].ids.take(places))
    columns.clear()
    rows = [_rows_of(run, wanted) for run in runs]
    if len(wanted) == total:
        return rows, left_out, None
    note = (
        f"the page shows {len(wanted)} of {counted(total, 'expression')}, about {len(shown)} of "
        f"{counted(images, 'image')} spread evenly, because browsers open a page of all of them slowly or not at all; "
        "figures are of all (--expressions N shows more or fewer)"
    )
    return rows, left_out, note


def spread_evenly(total: int, count: int) -> np.ndarray:
    """Some of the numbers from 0 to ``total - 1`` at even distances, the first and the last among them."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(np.int64))


def _rows_of(run: Run, wanted: set[str]) -> dict[str, Row]:
    return {row.id: row for row in read_rows(run.path / ROWS) if row.id in wanted}
