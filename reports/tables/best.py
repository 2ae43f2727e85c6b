"""The best and the second lines of each column, by paired tests.

Every pair of competing lines is tested (`risbench.statistics.paired`), and the p-values of a column are corrected for
all its pairs (Holm, 5 %). This allows for the fact that the leader is chosen by the data. The best lines are the one
with the largest value, all with exactly the same value, and all that do not differ from these significantly. The second
lines are found in the same way among the others. Published figures, and methods that read the truth, do not compete.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from risbench.statistics.paired import Estimate, estimates_of_runs, in_step, mean_over_seeds, significant_pairs

from .columns import Column
from .lines import Line
from .recount import Recount

_LEVEL_VALUES = 1e-12
Apart = frozenset[tuple[int, int]]


class Places(NamedTuple):
    """The winners of a column, as indices in the list of lines.

    Attributes:
        best, second: empty if no line is better than the others.
        tested: whether the differences were tested. They are not if rows are absent or runs cannot be compared.
        mixed: whether the column holds runs that cannot be compared.
    """

    best: frozenset[int]
    second: frozenset[int]
    tested: bool
    mixed: bool = False


_NOBODY = Places(frozenset(), frozenset(), True)


def places_of(
    lines: Sequence[Line], columns: Sequence[Column], recount: Recount, mixed: Collection[str] = ()
) -> dict[Column, Places]:
    """The winners of each column.

    Args:
        lines: of the table.
        columns: of the table.
        recount: reads the rows.
        mixed: splits whose columns hold runs that cannot be compared, so that there is no winner.
    """
    found = dict.fromkeys(columns, _NOBODY)
    for split in dict.fromkeys(column.split for column in columns):
        here = [column for column in columns if column.split == split]
        rivals = [place for place, line in enumerate(lines) if line.competes and line.runs.get(split)]
        if split in mixed:
            found |= dict.fromkeys(here, Places(frozenset(), frozenset(), tested=False, mixed=True))
            continue
        if len(rivals) < 2:
            continue
        measured = _estimates([lines[place] for place in rivals], split, here, recount)
        for turn, column in enumerate(here):
            values = {place: lines[place].values[column].value for place in rivals if column in lines[place].values}
            apart = None
            if measured is not None:
                known = list(values)
                rows = [measured[rivals.index(place)][turn] for place in known]
                if all(len(each.sums) < 2 for each in rows):
                    found[column] = Places(frozenset(), frozenset(), tested=False)
                    continue
                # Lines are ranked by their rows, which are tested too; a summary that disagrees is only marked.
                values = {
                    place: each.value for place, each in zip(known, rows, strict=True) if each.value == each.value
                }
                apart = frozenset((known[first], known[second]) for first, second in significant_pairs(rows))
            found[column] = _winners(values, apart)
    return found


def _estimates(
    lines: Sequence[Line], split: str, columns: Sequence[Column], recount: Recount
) -> list[list[Estimate]] | None:
    """Each line's estimate in each column, over its seeds; None if rows are absent."""
    groups = [line.runs[split] for line in lines]
    runs = [run for group in groups for run in group]
    if not all(recount.has_rows(run) for run in runs):
        return None
    rows = in_step(runs, [recount.rows(run) for run in runs])
    found = estimates_of_runs(rows, [column.metric for column in columns])
    each = iter(found)
    seeds = [[next(each) for _ in group] for group in groups]
    means = [[mean_over_seeds([run[turn] for run in line]) for turn in range(len(columns))] for line in seeds]
    return [
        [mean._replace(learned=line.supervision.learned) for mean in each]
        for line, each in zip(lines, means, strict=True)
    ]


def _winners(values: Mapping[int, float], apart: Apart | None) -> Places:
    if len(values) < 2:
        return _NOBODY._replace(tested=apart is not None)
    best = _leaders(values, apart)
    rest = {place: value for place, value in values.items() if place not in best}
    if not rest:
        return Places(frozenset(), frozenset(), apart is not None)
    # With two lines there is no need to mark the second one.
    second = _leaders(rest, apart) if len(values) > 2 else frozenset[int]()
    return Places(best, second, apart is not None)


def _leaders(values: Mapping[int, float], apart: Apart | None) -> frozenset[int]:
    """The lines with the largest value, and those that do not differ significantly from any of these."""
    largest = max(values.values())
    if apart is None:
        # Without rows, lines with the same printed value are equal.
        return frozenset(place for place, value in values.items() if _printed(value) == _printed(largest))
    first = [place for place, value in values.items() if value >= largest - _LEVEL_VALUES]
    return frozenset(
        place for place in values if place in first or not any((leader, place) in apart for leader in first)
    )


def _printed(value: float) -> str:
    return f"{100 * value:.1f}"
