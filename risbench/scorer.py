"""Accumulate scores sample by sample: in your own loop, in a training loop, or on several ranks that are merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .errors import UsageError
from .masks import LazyMask
from .methods.answers import mask_of, prediction_of
from .metrics.coverage import Coverage, cautions
from .metrics.metric import Metric
from .metrics.metric_names import parse_all, refuse_generalised
from .metrics.overlap import overlap
from .metrics.rules.protocols import DEFAULT, Rules
from .metrics.scores import Verdict
from .records import Prediction, Sample
from .results.columns.rowcolumns import RowColumns
from .results.rows import Row
from .statistics.summary import summarise_rows


def summary_of(rows: Iterable[Row] | RowColumns, metrics: Sequence[Metric] | None = None) -> dict[str, dict[str, Any]]:
    """Value, interval and count of each metric over rows in any order."""
    columns = RowColumns.of(rows if isinstance(rows, RowColumns) else list(rows))
    return summarise_rows(columns, metrics or parse_all(None))


def iou(pred: Any, truth: Any) -> float:
    """Intersection over union of two masks of one size, in [0, 1].

    Two empty masks score 0, as under all rules: nothing was found. Heats are refused, because a threshold is a choice
    that rules make: compare them with one first.

    Args:
        pred: a mask in any form that `Scorer.add` takes: bool ``(H, W)``, integers 0 and 1 or 0 and 255, a tensor,
            COCO's run-length code, a PIL image of one channel, or a `Prediction` with a mask.
        truth: the true mask, in any of these forms.

    Raises:
        MaskError: one of them is not a mask, or their sizes differ.
    """
    one = mask_of(pred, "pred")
    other = mask_of(truth, "truth", one.shape)
    return overlap(one, other).iou


class Scorer:
    """Scores predictions under some rules; two halves merged equal the whole.

    Examples:
        >>> scorer = Scorer("tris")
        >>> for sample in split:
        ...     row = scorer.add(sample, mask_of(sample))  # or a heat, a tensor, a Prediction
        >>> scorer.summary()["mIoU"]["value"]
        1.0
    """

    def __init__(self, rules: Rules | str = DEFAULT) -> None:
        """Start empty, with rules or their name."""
        self.rules = Rules(rules) if isinstance(rules, str) else rules
        self._rows: dict[str, Row] = {}
        self._coverage = Coverage()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> list[Row]:
        """The rows so far, in the order they came."""
        return list(self._rows.values())

    def add(self, sample: Sample, prediction: Any, seconds: float | None = None) -> Row:
        """Score one prediction: a bool mask ``(H, W)``, a float heat of any size, or a `Prediction`.

        Tensors may require a gradient, lie on a GPU or be bfloat16; whole numbers 0 and 1 (or 0 and 255) are a mask,
        and so are COCO's run-length code (a dict with ``size`` and ``counts``) and a PIL image of one channel.

        Raises:
            MaskError: the prediction cannot be scored.
            UsageError: the sample was added before.
        """
        checked = prediction_of(prediction, sample)
        verdict = self.rules.judge(sample, checked)
        row = self._put(row_of(sample, verdict, seconds))
        self._coverage = self._coverage.with_mask(verdict.mask, cut=checked.mask is None)
        return row

    def miss(self, sample: Sample) -> Row:
        """Score a sample without a prediction, as an empty mask without a point."""
        return self._put(missing_row(sample, self.rules))

    def merge(self, other: Scorer) -> None:
        """Add the rows of another scorer.

        Raises:
            UsageError: the other has other rules, or a sample that this one has too; then nothing is added.
        """
        if other.rules.record() != self.rules.record():
            raise UsageError(f"cannot merge scores under {_named(other.rules)} with scores under {_named(self.rules)}")
        for name in other._rows:
            self._refuse_known(name)
        self._rows.update(other._rows)
        self._coverage = self._coverage.plus(other._coverage)

    def cautions(self) -> list[str]:
        """The warnings to read with the summary; in a training loop, check them once after the first evaluation.

        For example, heats with another scale than the rules' threshold give masks of the whole image, or empty masks.
        """
        return cautions(self._coverage, self.rules.record(), {})

    def summary(self, metrics: str | None = None) -> dict[str, dict[str, Any]]:
        """Value, interval and count of each metric (a comma-separated list, by default all ten)."""
        without_mask = sum(row.without_mask for row in self._rows.values())
        refuse_generalised(metrics, without_mask, "those that were added")
        return summary_of(self._rows.values(), parse_all(metrics))

    def _put(self, row: Row) -> Row:
        self._refuse_known(row.id)
        self._rows[row.id] = row
        return row

    def _refuse_known(self, name: str) -> None:
        if name in self._rows:
            raise UsageError(f"sample {name} was scored twice")


def _named(rules: Rules) -> str:
    return f"'{rules.name}'" if rules.threshold is None else f"'{rules.name}' at threshold {rules.threshold:g}"


def row_of(sample: Sample, verdict: Verdict, seconds: float | None = None, *, missing: bool = False) -> Row:
    """The row of a scored sample."""
    scores = verdict.scores
    return Row(
        sample.id,
        sample.image_id,
        sample.ref_id,
        sample.sent_id,
        scores.intersection,
        scores.union,
        scores.hit_box,
        scores.hit_mask,
        scores.box_iou,
        seconds,
        missing,
        verdict.empty_truth,
        verdict.no_target,
    )


def missing_row(sample: Sample, rules: Rules) -> Row:
    """The row of a sample that has no prediction."""
    return row_of(sample, rules.judge(sample, Prediction(mask=LazyMask.of_parts((), sample.size))), missing=True)
