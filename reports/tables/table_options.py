"""What a table shows, and the one form in which ``risbench report`` calls the renderers of tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from risbench import Run, UsageError

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


def table_renderer(table_text: Callable[[Sequence[Run], TableOptions], str], form: str) -> Callable[..., str | None]:
    """The renderer of a form of tables, as an entry point in ``risbench.reports`` names it.

    ``risbench report`` calls it with the options that its signature has. It returns the text, or None once the text
    stands in ``out``.

    Args:
        table_text: the table of some runs as text.
        form: the name of the form, a key of `reports.breakdown.forms.FORMS`, for ``--by``.
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
        by: str | None = None,
    ) -> str | None:
        if by is not None:
            from ..breakdown.forms import breakdown_text

            refuse_with_by(by, columns=columns, mixed=mixed, published=published, efficiency=efficiency)
            return given_or_written(breakdown_text(form, runs, by, metrics, data_root), out)
        return given_or_written(table_text(runs, TableOptions(metrics, columns, mixed, published, efficiency)), out)

    render.__doc__ = table_text.__doc__
    return render


def refuse_with_by(by: str, **options: object) -> None:
    """Refuse options of tables of runs beside ``--by``, whose table has columns of its own.

    Raises:
        UsageError: one of them is given.
    """
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name} is of tables of runs: leave it out beside --by {by}")
