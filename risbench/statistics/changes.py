"""Check that the files of a run folder agree: the summary with the rows, and the rows with the split.

A figure that was changed by hand must not appear in a table, picture or comparison as if it had been measured. The
values, counts and bounds of the summary are computed again from the rows. Bounds that an older version made by another
method must only contain the value. Rows that were changed together with the summary are found by
`risbench.leaderboard.submit`, which scores every mask again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from ..metrics.metric import Metric
from ..metrics.metric_names import parse
from ..plain import counted, plain
from ..results.columns.rowcolumns import RowColumns, left_out_counts
from ..results.folder import ROWS
from ..results.jsonrecord import to_json
from ..results.rows import ANSWER_COUNTS, TRUTH_COUNTS, Row
from ..results.run import Run
from .ratios import METHOD
from .summary import summarise_rows

_SAME = 1e-9  # of values, which are sums of the same numbers in another order
_NEAR = 1.5e-6  # of bounds, which are rounded to six digits


class Change(NamedTuple):
    """One disagreement within a run folder.

    Attributes:
        metric: the metric it is about; None for the whole run.
        text: the disagreement, as a sentence.
    """

    metric: str | None
    text: str


def changes_of(run: Run, rows: Sequence[Row] | RowColumns | None = None) -> tuple[Change, ...]:
    """The disagreements between the files of a run; empty for a folder that nobody changed.

    Args:
        run: the loaded run.
        rows: its rows in any order, if they are already loaded.

    Raises:
        DataError: a row is broken, or the number of rows is not the count of the summary.
    """
    if rows is None:
        if not (run.path / ROWS).is_file():
            name = plain(run.path.name, 60)
            return (Change(None, f"UNCHECKED: {name} has no {ROWS}, so its summary cannot be checked."),)
        rows = run.columns()
    name, rows = plain(run.path.name, 60), RowColumns.of(rows)
    return (*_of_header(run, name), *_of_rows(run, rows, name), *_of_metrics(run, rows, name))


def change_texts(run: Run, rows: Sequence[Row] | RowColumns | None = None) -> list[str]:
    """The sentences of `changes_of`."""
    return [change.text for change in changes_of(run, rows)]


def _of_header(run: Run, name: str) -> Iterator[Change]:
    header, summary = run.about, run.summary
    pairs = {
        "method": header.method.name,
        "split": header.split.name,
        "rules": to_json(header.rules),
        "texts": header.texts,
        "truth": to_json(header.truth),
        "partial": header.partial or header.shard is not None,
    }
    for key, value in pairs.items():
        if summary.get(key) != value:
            yield Change(None, f"CHANGED: the {key} in the summary of {name} differs from its header.")


def _of_rows(run: Run, rows: RowColumns, name: str) -> Iterator[Change]:
    header, truth = run.about, run.about.truth
    whole = truth.replaces if truth and truth.only else header.split.counts.expressions
    if whole is not None and (len(rows) > whole if header.is_part else len(rows) != whole):
        yield Change(
            None, f"CHANGED: {name} has {counted(len(rows), 'row')}, its split has {counted(whole, 'expression')}."
        )
    if rows.ids.has_doubles():
        yield Change(None, f"CHANGED: {name} has two rows about one expression.")
    missing = int(np.count_nonzero(rows.missing))
    counts = left_out_counts(rows, header.rules.name) if _is_ours(run) else {}
    for key in (*TRUTH_COUNTS, *ANSWER_COUNTS) if _is_ours(run) else ():
        if run.summary.get(key, 0) != counts.get(key, 0):
            yield Change(
                None, f"CHANGED: the rows of {name} give {counts.get(key, 0)} for {key}, its summary says otherwise."
            )
    if missing != run.summary["missing"]:
        rows_are = counted(missing, f"row of {name} is", f"rows of {name} are")
        yield Change(None, f"CHANGED: {rows_are} marked missing, its summary says otherwise.")


def _of_metrics(run: Run, rows: RowColumns, name: str) -> Iterator[Change]:
    chosen: list[Metric] = []
    for key in run.summary["metrics"]:
        try:
            chosen.append(parse(key))
        except UsageError:
            yield Change(None, f"CHANGED: the summary of {name} has {plain(key, 40)}, which is not a metric.")
    ours = _is_ours(run)
    if not ours:
        yield Change(None, f"OLD: the intervals of {name} were made by an older version, or changed: score it again.")
    taken = summarise_rows(rows, chosen)
    for metric in chosen:
        written = run.summary["metrics"].get(metric.name)
        if not ours and metric.definition.of == "point" and rows.abstained.any():
            # An older version took the mean over the answers that pointed.
            value = taken[metric.name]["value"]
            if value is not None and written is not None and not _is_near(value, written["value"], _SAME):
                text = f"OLD: the summary of {name} leaves answers without a point out of {metric.name}; counted as "
                yield Change(metric.name, f"{text}misses they give {100 * value:.3f}: score it again.")
            continue
        if written is not None and (given := _difference(taken[metric.name], written, ours)):
            text = f"CHANGED: the rows of {name} give {given} for {metric.name}, its summary says otherwise."
            yield Change(metric.name, text)


def _is_ours(run: Run) -> bool:
    """Whether the summary was made by this version's method; older ones do not say how their bounds were made."""
    return run.summary.get("intervals") == METHOD


def _difference(taken: dict[str, Any], written: dict[str, Any], ours: bool) -> str | None:
    """What the rows give, if the summary says something else; None if the two agree.

    Args:
        taken: computed from the rows.
        written: read from the summary.
        ours: whether the summary's bounds were made by this version's method.
    """
    if not _is_near(taken["value"], written["value"], _SAME):
        return "nothing" if taken["value"] is None else f"{100 * taken['value']:.3f}"
    if taken["count"] != written["count"]:
        return counted(taken["count"], "expression")
    low, high = written["low"], written["high"]
    if ours:
        fits = _is_near(taken["low"], low, _NEAR) and _is_near(taken["high"], high, _NEAR)
    else:
        fits = low is None or high is None or low - _NEAR <= written["value"] <= high + _NEAR
    if fits:
        return None
    if taken["low"] is None:
        return "no interval"
    return f"an interval of {100 * taken['low']:.2f} to {100 * taken['high']:.2f}"


def _is_near(one: float | None, other: float | None, slack: float) -> bool:
    return one == other if one is None or other is None else abs(one - other) <= slack
