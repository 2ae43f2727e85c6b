"""Which lines of a column are the best and the second: those that a paired test can tell from the rest.

The line with the largest value is held against every other by the paired bootstrap of `risbench.paired`, corrected
for the number of lines (Holm, 5 %). It is the best together with all that the test cannot tell from it. The largest of
the others leads the second place in the same way. Lines that look at the truth and published figures do not compete.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from risbench import Run
from risbench.paired import LEVEL, difference, draw_runs, holm, in_step

from .columns import Column
from .lines import Line
from .recount import Recount


class Places(NamedTuple):
    """The winners of a column as places in the list of lines; ``tested`` says whether rows were at hand to test."""

    best: frozenset[int]
    second: frozenset[int]
    tested: bool


_NOBODY = Places(frozenset(), frozenset(), True)


def places_of(
    lines: Sequence[Line], columns: Sequence[Column], recount: Recount, mixed: Collection[str] = ()
) -> dict[Column, Places]:
    """The winners of each column.

    Args:
        lines: of the table.
        columns: of the table.
        recount: has the rows.
        mixed: splits whose column holds runs that cannot be compared; nobody wins there.
    """
    found = dict.fromkeys(columns, _NOBODY)
    for split in dict.fromkeys(column.split for column in columns):
        here = [column for column in columns if column.split == split]
        rivals = [place for place, line in enumerate(lines) if line.competes and line.runs.get(split)]
        if len(rivals) < 2 or split in mixed:
            continue
        drawn, images = _drawn([lines[place].runs[split] for place in rivals], here, recount)
        for turn, column in enumerate(here):
            known = [place for place in rivals if column in lines[place].values]
            values = {place: lines[place].values[column].value for place in known}
            draws = None if drawn is None else {place: drawn[rivals.index(place)][turn] for place in known}
            found[column] = _winners(values, draws, images)
    return found


def _drawn(
    groups: Sequence[Sequence[Run]], columns: Sequence[Column], recount: Recount
) -> tuple[list[list[np.ndarray]] | None, int]:
    """Each line's resampled values, the mean over its seeds, by column (None where rows are not at hand), and how
    many images were resampled."""
    runs = [run for group in groups for run in group]
    if not all(recount.has_rows(run) for run in runs):
        return None, 0
    rows = in_step(runs, [recount.rows(run) for run in runs])
    _, drawn, images = draw_runs(rows, [column.metric for column in columns])
    ends = np.cumsum([len(group) for group in groups])
    means = [
        [drawn[:, end - len(group) : end, turn].mean(axis=1) for turn in range(len(columns))]
        for group, end in zip(groups, ends.tolist(), strict=True)
    ]
    return means, images


def _winners(values: Mapping[int, float], draws: Mapping[int, np.ndarray] | None, images: int) -> Places:
    if len(values) < 2:
        return _NOBODY._replace(tested=draws is not None)
    best = _leaders(values, draws, images)
    rest = {place: value for place, value in values.items() if place not in best}
    if not rest:
        return Places(frozenset(), frozenset(), draws is not None)
    # With two lines the second is simply the other one.
    second = _leaders(rest, draws, images) if len(values) > 2 else frozenset[int]()
    return Places(best, second, draws is not None)


def _leaders(values: Mapping[int, float], draws: Mapping[int, np.ndarray] | None, images: int) -> frozenset[int]:
    """The line with the largest value, and those that cannot be told from it."""
    first = max(values, key=lambda place: values[place])
    if draws is None:
        # Without rows: what prints the same is level.
        return frozenset(place for place, value in values.items() if _printed(value) == _printed(values[first]))
    others = [place for place in values if place != first]
    tests = [difference(values[first] - values[place], draws[first] - draws[place], images) for place in others]
    corrected = holm([1.0 if test is None else test.p for test in tests])
    return frozenset([first, *(place for place, p in zip(others, corrected, strict=True) if p > LEVEL)])


def _printed(value: float) -> str:
    return f"{100 * value:.1f}"
