"""Scores of saved heats at many thresholds.

Every heat is read and resized once, and cut at each threshold exactly as `score --threshold` would cut it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..datasets.choose import refuse_empty
from ..datasets.load import load_split
from ..datasets.split import Split
from ..errors import DataError, UsageError
from ..methods.answers import prediction_of
from ..methods.geometry import Geometry
from ..metrics.metric import Metric
from ..metrics.metric_names import parse_all
from ..metrics.rules.protocols import DEFAULT, Rules
from ..records import Prediction
from ..results.folder import HEADER, HEATS, MASKS
from ..results.header import TruthRecord
from ..results.jsonrecord import to_json
from ..results.run import Run
from ..results.scored import part_of, refuse_other_split, truth_record
from ..statistics.changes import change_texts
from ..statistics.ratios import divided, intervals
from ..statistics.summary import bound, clusters, sums_of
from .names import match
from .sources import Heats, PredictionSource, source_of

SCHEMA = 1
METRICS = "mIoU,oIoU,P@0.5,P@0.7,P@0.9"
GRID = tuple(round(0.05 * step, 2) for step in range(20))  # 0, 0.05, …, 0.95
CAUTION = "a threshold chosen here is tuned on this split: report it on another one"
_MOST = 1000
_NAMED = 5
_NO_OVERLAP = (float("nan"), float("nan"))  # of an expression without a true mask


class Sweep(NamedTuple):
    """The result of `sweep`.

    Attributes:
        split, rules: the names.
        partial: whether it is not the whole split.
        expressions: their number.
        missing: how many have no prediction and count as empty masks at every threshold.
        truth: the truth file as a run records it; None for the annotated masks.
        changed: what was changed by hand in the run with the heats.
        without_mask: how many expressions have no true mask and are left out of every figure.
        thresholds: in the units of the rules.
        metrics: their names.
        cautions: warnings about the heats; see `risbench.methods.geometry`.
        values, low, high: fractions with 95 % intervals, ``[threshold][metric]``; NaN where there is none.
    """

    split: str
    rules: str
    partial: bool
    expressions: int
    missing: int
    thresholds: tuple[float, ...]
    metrics: tuple[str, ...]
    values: list[list[float]]
    low: list[list[float]]
    high: list[list[float]]
    truth: TruthRecord | None = None
    cautions: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    without_mask: int = 0

    def best(self, metric: int = 0) -> int | None:
        """The index of the threshold with the largest value of a metric, the first of equals; None if all are equal."""
        values = np.array([line[metric] for line in self.values])
        return int(np.nanargmax(values)) if np.ptp(values) > 0 else None

    def level(self, metric: int = 0) -> tuple[int, ...]:
        """The indices of the thresholds whose printed value is the largest; none if all printed values are the same."""
        best = self.best(metric)
        printed = [f"{100 * line[metric]:.2f}" for line in self.values]
        if best is None or len(set(printed)) == 1:
            return ()
        return tuple(place for place, text in enumerate(printed) if text == printed[best])

    def also_best(self, metric: int = 0) -> str:
        """The end of the sentence about the best threshold: other thresholds with the same printed value."""
        others = [f"{self.thresholds[place]:g}" for place in self.level(metric) if place != self.best(metric)]
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        return f" (as printed the same at {', '.join(others[:_NAMED])}{more})" if others else ""

    def record(self) -> dict[str, Any]:
        """As plain values."""
        lines = [
            {
                "threshold": threshold,
                **{
                    name: {"value": bound(values[turn]), "low": bound(low[turn]), "high": bound(high[turn])}
                    for turn, name in enumerate(self.metrics)
                },
            }
            for threshold, values, low, high in zip(self.thresholds, self.values, self.low, self.high, strict=True)
        ]
        return {
            "schema": SCHEMA,
            "split": self.split,
            "rules": self.rules,
            "truth": to_json(self.truth),
            "partial": self.partial,
            "count": self.expressions,
            "missing": self.missing,
            "changed": list(self.changed),
            **({"without_mask": self.without_mask} if self.without_mask else {}),
            "lines": lines,
            "best": {
                name: None if (place := self.best(turn)) is None else self.thresholds[place]
                for turn, name in enumerate(self.metrics)
            },
            "caution": CAUTION,
            **({"cautions": list(self.cautions)} if self.cautions else {}),
        }


def sweep(
    path: str | Path,
    split: str | Split,
    *,
    rules: str = DEFAULT,
    thresholds: Sequence[float] | None = None,
    metrics: str | None = None,
    data_root: str | Path | None = None,
    allow_missing: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Sweep:
    """Score heats at several thresholds.

    Args:
        path: a run folder with saved heats, or a folder of ``<sent_id>.npy`` heats.
        split: the split or its name.
        rules: their name; thresholds are in their units.
        thresholds: by default 0 to 0.95 in steps of 0.05, and the rules' own.
        metrics: a comma-separated list of metrics that depend on the mask alone: mIoU, oIoU, P@k.
        data_root: where the annotations lie.
        allow_missing: count a missing heat as an empty mask instead of refusing.
        progress: called with ``(images done, images)``.

    Raises:
        UsageError: there are no heats, or a metric does not depend on the threshold.
        DataError: a heat is missing or unknown, and is named; or no expression has a true mask.
    """
    given = Path(path)
    chosen = sweepable_metrics(metrics)
    named = Rules(rules)
    grid = _grid(thresholds, named)
    whole = refuse_empty(load_split(split, data_root) if isinstance(split, str) else split)
    source, part = _source(given, whole)
    predictions = match(source, part, given, allow_missing)
    images = len(part.images)
    counts: list[Sequence[tuple[Any, Any]]] = []
    scored: list[tuple[str, Any]] = []
    missing = without_mask = 0
    geometry = Geometry()
    for done, group in enumerate(predictions.by_image(), start=1):
        for sample, _, reading in group:
            brought = None if reading is None else reading()
            scored.append((sample.id, sample.image_id))
            missing += brought is None
            without_mask += not sample.parts
            if not sample.parts and (sample.box is not None or brought is None):
                counts.append([_NO_OVERLAP] * len(grid))
                continue
            if brought is None:
                row = named.judge(sample, Prediction(mask=np.zeros(sample.size, dtype=bool))).scores
                counts.append([(row.intersection, row.union)] * len(grid))
                continue
            heat = prediction_of(Prediction(heat=brought.heat), sample).heat if brought.heat is not None else None
            if heat is None:
                raise DataError(f"{given}: {sample.id} has a mask but no heat, so no threshold can cut it")
            geometry.add(sample, Prediction(heat=heat))
            overlaps = named.sweep(sample, heat, grid)
            # Without a target, an empty mask is right and has no overlap to measure.
            counts.append([found if sample.parts or found.union else _NO_OVERLAP for found in overlaps])
        if progress is not None:
            progress(done, images)
    if scored and without_mask == len(scored):
        raise DataError(f"{whole.name}: no expression has a true mask, so no threshold can be scored")
    # In the order of summaries, so that both sums have the same bits.
    order = sorted(range(len(scored)), key=lambda place: scored[place][0])
    ordered = [scored[place][1] for place in order]
    table = np.array(counts, dtype=np.float64).reshape(-1, len(grid), 2)[order]
    values, low, high = _scores(table, clusters(ordered), chosen)
    return Sweep(
        whole.name,
        rules,
        part.partial,
        len(ordered),
        missing,
        grid,
        tuple(metric.name for metric in chosen),
        values.tolist(),
        low.tolist(),
        high.tolist(),
        truth_record(whole),
        tuple(geometry.cautions()),
        tuple(change_texts(Run.load(given))) if (given / HEADER).is_file() else (),
        without_mask,
    )


def _scores(
    table: np.ndarray, cluster: np.ndarray, metrics: Sequence[Metric]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values and bounds, float64 ``(thresholds, metrics)`` each, of intersections and unions at each threshold."""
    found = []
    for place in range(table.shape[1]):
        columns = {"intersection": table[:, place, 0], "union": table[:, place, 1]}
        sums = np.stack([sums_of(metric, columns, cluster) for metric in metrics], axis=1)
        above, below = sums[..., 0], sums[..., 1]
        found.append((divided(above.sum(axis=0), below.sum(axis=0)), *intervals(above, below)))
    values, low, high = (np.array(each) for each in zip(*found, strict=True))
    return values, low, high


def thresholds_of(text: str) -> tuple[float, ...]:
    """Parse thresholds: a list ``0.1,0.2,0.5``, or a range ``START:STOP:STEP`` with both ends.

    Raises:
        UsageError: the text is neither.
    """
    try:
        if ":" in text:
            start, stop, step = (float(word) for word in text.split(":"))
            if not (step > 0 and stop >= start and (stop - start) / step <= _MOST):
                raise ValueError
            count = int((stop - start) / step + 1e-9) + 1
            return tuple(round(start + step * turn, 12) for turn in range(count))
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"--thresholds {text}: write 0.1,0.2,0.5 or START:STOP:STEP, at most {_MOST}") from None


def _grid(thresholds: Sequence[float] | None, rules: Rules) -> tuple[float, ...]:
    found = sorted({*GRID, rules.own_threshold} if thresholds is None else set(thresholds))
    if not found or len(found) > _MOST or not np.isfinite(found).all():
        raise UsageError(f"give 1 to {_MOST} thresholds, finite numbers")
    return tuple(found)


def sweepable_metrics(text: str | None) -> tuple[Metric, ...]:
    """The metrics of a comma-separated list, or the default ones.

    Raises:
        UsageError: a metric does not depend on the threshold, or is unknown.
    """
    chosen = parse_all(METRICS if text is None else text)
    for metric in chosen:
        if metric.definition.of != "mask":
            raise UsageError(
                f"{metric.name} cannot be swept: only metrics of the mask depend on a threshold (mIoU, oIoU, P@k)"
            )
    return chosen


def _source(given: Path, whole: Split) -> tuple[PredictionSource, Split]:
    """The heats, and the part of the split that they are of."""
    if not (given / HEADER).is_file():
        source = source_of(given)
        if not source.has_heats:
            raise UsageError(f"{given} holds {source.kind}: sweep needs heats, in a folder of <sent_id>.npy")
        return source, whole
    run = Run.load(given)
    refuse_other_split(run, whole)
    if not (given / HEATS).is_dir():
        raise UsageError(f"{given} has no heats: run it with --save-heat")
    source = Heats(given)
    run.refuse_other_count(MASKS, len(source.names))  # lost lines must not count as missing predictions
    return source, part_of(run, whole)
