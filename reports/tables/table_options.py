"""What a table shows, and the one form in which ``risbench report`` calls the renderers of tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
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
        intervals: ``pm`` or ``low-high``: print 95 % intervals in this form; None for none.
        caption, label: of a LaTeX table, as plain text.
    """

    metrics: str | None = None
    columns: str | None = None
    mixed: bool = False
    published: bool = False
    efficiency: bool = False
    intervals: str | None = None
    caption: str | None = None
    label: str | None = None


def table_renderer(
    table_text: Callable[[Sequence[Run], TableOptions], str],
    comparison_text: Callable[..., str],
    form: str,
    *,
    captioned: bool = False,
) -> Callable[..., str | None]:
    """The renderer of a form of tables, as an entry point in ``risbench.reports`` names it.

    ``risbench report`` calls it with the options that its signature has. It returns the text, or None once the text
    stands in ``out``. Its attribute ``comparison`` is called by ``risbench compare``.

    Args:
        table_text: the table of some runs as text.
        comparison_text: a comparison of runs as text.
        form: the name of the form, a key of `reports.breakdown.forms.FORMS`, for ``--by``.
        captioned: whether the form has a caption and a label.
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
        intervals: str | None = None,
        by: str | None = None,
    ) -> str | None:
        options = TableOptions(metrics, columns, mixed, published, efficiency, intervals)
        return _written(table_text, form, runs, by, data_root, options, out)

    def render_captioned(
        runs: Sequence[Run],
        *,
        out: Path | None = None,
        metrics: str | None = None,
        data_root: Path | None = None,
        columns: str | None = None,
        mixed: bool = False,
        published: bool = False,
        efficiency: bool = False,
        intervals: str | None = None,
        caption: str | None = None,
        label: str | None = None,
        by: str | None = None,
    ) -> str | None:
        options = TableOptions(metrics, columns, mixed, published, efficiency, intervals, caption, label)
        return _written(table_text, form, runs, by, data_root, options, out)

    chosen = render_captioned if captioned else render
    chosen.__doc__ = table_text.__doc__
    chosen.__dict__["comparison"] = comparison_text
    return chosen


def _written(
    table_text: Callable[[Sequence[Run], TableOptions], str],
    form: str,
    runs: Sequence[Run],
    by: str | None,
    data_root: Path | None,
    options: TableOptions,
    out: Path | None,
) -> str | None:
    if by is None:
        return given_or_written(table_text(runs, options), out)
    from ..breakdown.forms import breakdown_text

    given = asdict(options)
    metrics = given.pop("metrics")
    refuse_with_by(by, **given)
    return given_or_written(breakdown_text(form, runs, by, metrics, data_root), out)


def refuse_with_by(by: str, **options: object) -> None:
    """Refuse options of tables of runs beside ``--by``, whose table has columns of its own.

    Raises:
        UsageError: one of them is given.
    """
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name} is of tables of runs: leave it out beside --by {by}")
