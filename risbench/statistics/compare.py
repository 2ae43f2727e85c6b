"""Compare runs: paired differences overall and by kind of expression, and the expressions where they differ most."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..datasets.split import Split
from ..errors import UsageError
from ..metrics.metric import Metric
from ..metrics.metric_names import parse_all, refuse_generalised
from ..results.columns.rowcolumns import RowColumns, columns_of
from ..results.jsonrecord import to_json
from ..results.rows import ANSWER_COUNTS, TRUTH_COUNTS
from ..results.run import Run
from ..results.scored import scored_split
from .changes import change_texts
from .comparable import refuse_mixture
from .paired import LEVEL, Difference, Estimate, corrected_of, estimates, in_step, paired_difference
from .ratios import intervals
from .slices import places_of, slices_of
from .summary import bound, clusters

SCHEMA = 1
_MOST = 10


class Contrast(NamedTuple):
    """One paired test.

    Attributes:
        first, second: indices of the two runs; the difference is first minus second.
        metric: the metric's name.
        slice, part: the slice, and the part of it that chose the expressions; None for all expressions.
        expressions: their number.
        values: the scores of the two runs on them, fractions; None where no expression counts.
        difference: with interval and uncorrected p-value; None if it cannot be computed.
        corrected: the p-value corrected for the number of tests beside this one.
        bounds: the 95 % intervals of the two scores, ``(low, high)`` each; None where there is none.
    """

    first: int
    second: int
    metric: str
    slice: str | None
    part: str | None
    expressions: int
    values: tuple[float | None, float | None]
    difference: Difference | None
    corrected: float | None
    bounds: tuple[tuple[float | None, float | None], ...] = ((None, None), (None, None))

    @property
    def differs(self) -> bool:
        """Whether the difference is significant after correction."""
        return self.corrected is not None and self.corrected <= LEVEL


class Apart(NamedTuple):
    """An expression that the runs score differently: its IoU under each."""

    id: str
    text: str | None
    ious: tuple[float, ...]


class Comparison(NamedTuple):
    """The result of `compare`.

    Attributes:
        runs: the compared runs.
        overall: the tests over all expressions.
        slices: the tests by slice.
        apart: the expressions with the largest differences.
        changed: what was changed by hand in the run folders; the rows are compared as they are.
    """

    runs: tuple[Run, ...]
    overall: tuple[Contrast, ...]
    slices: tuple[Contrast, ...]
    apart: tuple[Apart, ...]
    changed: tuple[str, ...] = ()

    @property
    def truth_counts(self) -> dict[str, int]:
        """How many expressions lack a true mask or box; see `risbench.results.columns.rowcolumns.left_out_counts`."""
        return {key: count for key in TRUTH_COUNTS if (count := self.runs[0].summary.get(key))}

    def record(self) -> dict[str, Any]:
        """As plain values, fractions."""
        return {
            "schema": SCHEMA,
            "split": self.runs[0].summary["split"],
            "rules": self.runs[0].summary["rules"],
            "truth": to_json(self.runs[0].about.truth),
            "partial": self.runs[0].summary["partial"],
            "changed": list(self.changed),
            **self.truth_counts,
            "runs": [
                {
                    "folder": str(run.path),
                    "method": run.summary["method"],
                    "texts": run.summary["texts"],
                    **{key: count for key in ANSWER_COUNTS if (count := run.summary.get(key))},
                    **({"warnings": cautions} if (cautions := run.cautions()) else {}),
                }
                for run in self.runs
            ],
            "overall": [_record(test) for test in self.overall],
            "slices": [_record(test) for test in self.slices],
            "apart": [{"id": found.id, "text": found.text, "iou": list(found.ious)} for found in self.apart],
        }


def compare(
    folders: Sequence[str | Path | Run],
    *,
    metrics: str | None = None,
    data_root: str | Path | None = None,
    slices: bool = True,
) -> Comparison:
    """Compare runs of one split.

    Args:
        folders: two runs or more.
        metrics: a comma-separated list, by default all ten; slices are compared in the first one.
        data_root: where the split lies; by default where the first run found it.
        slices: also compare by kind of expression, which needs the split's annotations.

    Raises:
        UsageError: fewer than two runs, or runs that differ in split, copy, rules or limit.
        DataError: a run lacks an expression, or the split is not there.
    """
    runs = tuple(item if isinstance(item, Run) else Run.load(item) for item in folders)
    if len(runs) < 2:
        raise UsageError("give two runs or more to compare")
    refuse_mixture(runs, "they cannot be compared expression by expression")
    rows = in_step(runs, [run.columns() for run in runs])
    chosen = parse_all(metrics)
    refuse_generalised(metrics, int(np.count_nonzero(rows[0].without_mask)), runs[0].summary["split"])
    columns = [columns_of(each) for each in rows]
    images = clusters(rows[0].image_id)
    overall = _tests(estimates(columns, images, chosen), chosen, None, None, len(images))
    by_slice: list[Contrast] = []
    text_of: Callable[[int], str | None] = lambda _: None  # noqa: E731
    if slices:
        split = _split_of(runs[0], data_root)
        places = places_of(split, rows[0].ids)
        text_of = lambda row: split.table.sent_text[int(split.rows[places[row]])]  # noqa: E731
        for name, parts in slices_of(split, places).items():
            for part, wanted in parts.items():
                found = estimates(columns, images, chosen[:1], wanted=wanted)
                by_slice += _tests(found, chosen[:1], name, part, int(wanted.sum()))
    changed = tuple(text for run, each in zip(runs, rows, strict=True) for text in change_texts(run, each))
    return Comparison(runs, _corrected(overall), _corrected(by_slice), _farthest(rows, text_of), changed)


def _split_of(run: Run, data_root: str | Path | None) -> Split:
    split = scored_split(run.about, run.path, data_root)
    sources = {path.name: digest for path, digest in split.sources}
    if sources != {source.file: source.sha256 for source in run.about.split.sources}:
        raise UsageError(
            f"the split {split.name} under {split.data_root} is not the one {run.path} was run on: give its --data-root"
        )
    return split


def _tests(
    runs: Sequence[Sequence[Estimate]], metrics: Sequence[Metric], name: str | None, part: str | None, count: int
) -> list[Contrast]:
    found = []
    bounds = [[_bounds(estimate) for estimate in run] for run in runs]
    for first, second in combinations(range(len(runs)), 2):
        for turn, metric in enumerate(metrics):
            both = runs[first][turn], runs[second][turn]
            values = tuple(None if math.isnan(each.value) else each.value for each in both)
            test = paired_difference(*both)
            found.append(Contrast(first, second, metric.name, name, part, count, (values[0], values[1]), test, None))
            found[-1] = found[-1]._replace(bounds=(bounds[first][turn], bounds[second][turn]))
    return found


def _bounds(estimate: Estimate) -> tuple[float | None, float | None]:
    """The 95 % interval of one score, as in a run's summary."""
    if not len(estimate.sums):
        return None, None
    low, high = intervals(estimate.sums[:, :1], estimate.sums[:, 1:])
    return bound(low[0]), bound(high[0])


def _corrected(tests: Sequence[Contrast]) -> tuple[Contrast, ...]:
    corrected = corrected_of([test.difference for test in tests])
    return tuple(test._replace(corrected=p) for test, p in zip(tests, corrected, strict=True))


def _farthest(rows: Sequence[RowColumns], text_of: Callable[[int], str | None]) -> tuple[Apart, ...]:
    # Without a true mask there is no IoU; without a target only a run that predicts a mask has one.
    ious = np.stack([each.iou for each in rows])
    spread = np.nan_to_num(ious.max(axis=0) - ious.min(axis=0), nan=0.0)  # a maximum with NaN is NaN
    places = [place for place in np.argsort(-spread, kind="stable")[:_MOST].tolist() if spread[place] > 0]
    return tuple(Apart(rows[0].ids[place], text_of(place), tuple(ious[:, place].tolist())) for place in places)


def _record(test: Contrast) -> dict[str, Any]:
    found = test.difference
    record: dict[str, Any] = {"first": test.first, "second": test.second, "metric": test.metric}
    if test.slice is not None:
        record |= {"slice": test.slice, "part": test.part}
    return record | {
        "count": test.expressions,
        "values": list(test.values),
        "bounds": [list(each) for each in test.bounds],
        "difference": None if found is None else found.value,
        "low": None if found is None else found.low,
        "high": None if found is None else found.high,
        "p": None if found is None else found.p,
        "p_corrected": test.corrected,
        "differs": test.differs,
    }
