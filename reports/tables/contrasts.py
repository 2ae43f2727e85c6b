"""The tables of a comparison before any markup: over all expressions, by kind, and where the runs differ most."""

from __future__ import annotations

from typing import NamedTuple

from risbench.plain import plain
from risbench.statistics.compare import Comparison
from risbench.statistics.compared import HEADS, pair_of, printed, run_names

_LONGEST = 300  # characters of an expression; JSON has the whole


class ContrastTable(NamedTuple):
    """One table.

    Attributes:
        title: what it compares.
        heads: of its columns.
        texts: how many of the first columns are texts; the others are figures.
        rows: cells as text, not escaped.
        is_example: whether the rows are single expressions.
    """

    title: str
    heads: tuple[str, ...]
    texts: int
    rows: tuple[tuple[str, ...], ...]
    is_example: bool = False


def contrast_tables(found: Comparison, intervals: str | None = None) -> list[ContrastTable]:
    """The tables of a comparison; with two runs their names are in the titles."""
    names = run_names(found)
    two = len(names) == 2
    title = f"{found.runs[0].summary['split']}, over all expressions, in points of percent"
    about = ("metric",) if two else ("metric", "first", "second")
    rows = [
        (test.metric, *(() if two else (names[test.first], names[test.second])), *printed(test, intervals))
        for test in found.overall
    ]
    if two:
        title += f": {' minus '.join(names)}"
    tables = [ContrastTable(title, (*about, *HEADS), len(about), tuple(rows))]
    for pair in dict.fromkeys((test.first, test.second) for test in found.slices):
        tests = [test for test in found.slices if (test.first, test.second) == pair]
        lines = [
            (str(test.slice), plain(str(test.part)), str(test.expressions), *printed(test, intervals)) for test in tests
        ]
        title = f"By kind of expression, {tests[0].metric}: {pair_of(tests[0], names)}"
        tables.append(ContrastTable(title, ("slice", "part", "expressions", *HEADS), 2, tuple(lines)))
    if found.apart:
        title = f"The {len(found.apart)} expressions where they differ most: IoU in percent"
        examples = [
            (item.id, plain(item.text or "", _LONGEST), *(f"{100 * iou:.1f}" for iou in item.ious))
            for item in found.apart
        ]
        tables.append(ContrastTable(title, ("id", "expression", *names), 2, tuple(examples), is_example=True))
    return tables
