"""What a table shows, and the one form in which ``risbench report`` calls the renderers of tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from risbench import Run

from ..picture import given_or_written


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What a table shows.

    Attributes:
        metrics: a comma-separated list; by default all ten.
        columns: the name of a column set instead; see `reports.tables.columns.SETS`.
        mixed: put runs that cannot be compared into one column, with a footnote.
        published: add lines of published figures.
        efficiency: add columns of what the runs cost.
    """

    metrics: str | None = None
    columns: str | None = None
    mixed: bool = False
    published: bool = False
    efficiency: bool = False


def table_renderer(table_text: Callable[[Sequence[Run], TableOptions], str]) -> Callable[..., str | None]:
    """The renderer of a form of tables, as an entry point in ``risbench.reports`` names it.

    ``risbench report`` calls it with the options that its signature has. It returns the text, or None once the text
    stands in ``out``.

    Args:
        table_text: the table of some runs as text.
    """

    def render(
        runs: Sequence[Run],
        *,
        out: Path | None = None,
        metrics: str | None = None,
        data_root: Path | None = None,
        columns: str | None = None,
        mixed: bool = False,
        published: bool = False,
        efficiency: bool = False,
    ) -> str | None:
        return given_or_written(table_text(runs, TableOptions(metrics, columns, mixed, published, efficiency)), out)

    render.__doc__ = table_text.__doc__
    return render
