"""What every kind of breakdown has: columns, rows, notes, and how its picture is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from risbench import Run, UsageError
from risbench.results.columns.rowcolumns import RowColumns
from risbench.statistics.comparable import refuse_mixture

from ..about import common_columns, notes_of

Share = Mapping[str, Any]
"""``{"value", "low", "high", "count"}``, fractions; None where there is none."""
Value = str | int | Share | None


class PartColumn(NamedTuple):
    """One column of the table.

    Attributes:
        key: its name for programs, unique in the table.
        title: its head.
        is_share: whether its cells are fractions, shown in percent with their intervals.
        run: the place of its run; None if it is of no run.
    """

    key: str
    title: str
    is_share: bool = False
    run: int | None = None


class PanelPicture(NamedTuple):
    """A picture of panels beside each other.

    Attributes:
        width, height: of all panels together, in inches.
        panels: each draws into axes.
        shared: whether the panels have one vertical axis.
    """

    width: float
    height: float
    panels: Sequence[Callable[[Any], None]]
    shared: bool = False


@dataclass(frozen=True, slots=True)
class BrokenDown:
    """One breakdown.

    Attributes:
        by: its kind.
        title: what is shown, as a caption.
        split, rules: the names.
        runs: the runs' titles.
        columns: the columns of the table.
        rows: its rows, one value for each column.
        notes: sentences that must stand beside the figures.
        picture: how it is drawn.
    """

    by: str
    title: str
    split: str
    rules: str
    runs: tuple[str, ...]
    columns: tuple[PartColumn, ...]
    rows: tuple[tuple[Value, ...], ...]
    notes: tuple[str, ...]
    picture: PanelPicture


def columns_of_runs(runs: Sequence[Run]) -> tuple[list[RowColumns], list[str]]:
    """The rows of the expressions that all runs have, in the order of the first run, and the notes about the runs.

    Raises:
        UsageError: the runs cannot stand in one table: they are of different splits, copies, truths, rules or limits.
    """
    refuse_mixture(runs, "one breakdown cannot hold both")
    columns, left_out = common_columns(runs)
    if left_out:
        raise UsageError(f"{left_out} expressions are not in every run: one breakdown needs the same expressions")
    return columns, notes_of(runs)
