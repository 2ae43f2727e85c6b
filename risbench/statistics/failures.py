"""What is wrong with each mask of a run: every expression with a true mask belongs to one class of outcome.

The classes, in the order in which they are tried; an expression belongs to the first that applies:

- ``empty``: the mask has no pixel, or there is no prediction.
- ``right``: IoU with the truth is at least 0.5, as the run's rules counted it. The share of right ones is P@0.5.
- ``background``: the mask lies on no annotated object of the image.
- ``partial``: of the objects that the mask lies on, it overlaps the true one most; IoU is still below 0.5.
- ``same_class``: it overlaps another object most, and that object has the class of the true one.
- ``other_object``: it overlaps another object most, of another class or of a class that the annotation does not name.

A mask *lies on* an object if their IoU is at least 0.1, or if at least half of the mask's pixels are the object's: a
small mask within a large object is on it. *Overlaps most* means the largest IoU. Of equal IoU, the true object comes
first, then an object of its class, then the first in the annotation's order. Everything is counted in whole pixels at
the image's size: an object is the union of its parts, and a mask that the rules store at another size (``lavt``) is
scaled by the nearest pixel. Nothing is random.

The classes depend on the annotation. Where it has no other object in an image, a mask beside the true object can only
be ``background``; where it names no classes, a wrong object can only be ``other_object``; an object without a mask
cannot be overlapped. `FailureCounts.notes` tells how many expressions this concerns. An expression without a true mask
has no class.

The threshold of 0.1 below which nothing counts as found, beside 0.5 for a right one, is that of TIDE (Bolya et al.,
ECCV 2020), whose errors are of boxes; the rule for small masks is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np

from ..datasets.annotations.sampleids import SampleIds
from ..datasets.split import Object, Split
from ..errors import DataError, MaskError
from ..masks import LazyMask, at_size
from ..metrics.overlap import overlap
from ..plain import counted
from ..records import Sample
from ..results.columns.rowcolumns import RowColumns
from ..results.columns.storedmasks import StoredMasks
from ..results.rows import Row
from ..results.run import Run

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "right": "right",
        "partial": "partial",
        "same_class": "wrong object of the same class",
        "other_object": "other object",
        "background": "background",
        "empty": "empty",
    }
)
"""The classes with their titles, from best to worst, as tables and pictures show them."""

_CODES = {kind: code for code, kind in enumerate(OUTCOMES)}
RIGHT = 0.5  # IoU, as in P@0.5
_TENTHS = 1  # IoU in tenths from which on a mask lies on an object


class ImageObject(NamedTuple):
    """One object of an image: its mask, lazy or bool ``(H, W)``, whether it is the true one, and of its class."""

    mask: LazyMask | np.ndarray
    is_true: bool
    is_of_class: bool


@dataclass(frozen=True, slots=True, eq=False)
class FailureCounts:
    """The outcomes of some runs on the same expressions.

    Attributes:
        ids: of the expressions that have a class, in the split's order.
        images: a number for the image of each: int64 ``(n,)``.
        classes: the class of each under each run, by its place in `OUTCOMES`: int8 ``(runs, n)``.
        without_mask: number of expressions without a true mask, which have no class.
        alone: number of classed expressions whose image has no other annotated object with a mask.
        unnamed: number of classed expressions with an object in the image whose class the annotation does not name.
        unmasked: number of classed expressions with another object in the image that has no mask.
    """

    ids: SampleIds
    images: np.ndarray
    classes: np.ndarray
    without_mask: int = 0
    alone: int = 0
    unnamed: int = 0
    unmasked: int = 0

    @property
    def outcomes(self) -> tuple[dict[str, str], ...]:
        """For each run, the class of each expression by sample id, in the split's order."""
        kinds = list(OUTCOMES)
        return tuple({name: kinds[one] for name, one in zip(self.ids, of.tolist(), strict=True)} for of in self.classes)

    def notes(self) -> list[str]:
        """What must stand beside the figures: where the annotation cannot show a class. One sentence each."""
        total = len(self.ids)
        found = []
        if self.alone:
            found.append(
                f"{_of(self.alone, total)} in an image without another annotated object: there a mask beside the true "
                "object counts as background"
            )
        if self.unnamed:
            found.append(
                f"{_of(self.unnamed, total)} in an image with objects whose class the annotation does not name: a "
                "wrong object without a known class counts as other object"
            )
        if self.unmasked:
            found.append(
                f"{_of(self.unmasked, total)} in an image with other objects that have no mask: a prediction on such "
                "an object counts as background"
            )
        if self.without_mask:
            found.append(f"{counted(self.without_mask, 'expression has', 'expressions have')} no true mask: left out")
        return found


def failures_of(
    split: Split,
    runs: Sequence[Run],
    rows: Sequence[Mapping[str, Row]] | Sequence[RowColumns],
    codes: Sequence[Mapping[str, Any]] | None = None,
) -> FailureCounts:
    """The outcome of each expression under each run.

    Args:
        split: the split of the runs, with their truth.
        runs: the runs, whose masks are read.
        rows: each run's rows by sample id, with the same ids in each; or as columns, all in the same order.
        codes: each run's run-length codes by sample id, if they were read already; else each is read when it is needed.

    Raises:
        DataError: a run has no mask for an expression.
        MaskError: a mask's code is malformed; run and expression are named.
    """
    columns = _in_step(rows)
    ids = columns[0].ids
    masks = [StoredMasks(run, ids) if codes is None else codes[turn] for turn, run in enumerate(runs)]
    row_of = SampleIds.of(split.each_id()).places_in(ids)
    ious = [of.iou for of in columns]
    without = np.any([of.without_mask for of in columns], axis=0)
    anns, ann_ids = split.sample_anns, split.table.ann_id
    classes = np.full((len(runs), len(split)), -1, np.int8)
    without_mask = alone = unnamed = unmasked = 0
    for group in split.places_by_image():
        kept = [at for at in group if row_of[at] >= 0]
        judged = [(at, sample) for at in kept if not without[row_of[at]] and (sample := split[at]).parts]
        without_mask += len(kept) - len(judged)
        if not judged:
            continue
        listed, size = split.objects(judged[0][1].image_id), judged[0][1].size
        masked = {place: LazyMask.of_parts(one.parts, size) for place, one in enumerate(listed) if one.parts}
        for at, sample in judged:
            target, row = ann_ids[int(anns[at])], int(row_of[at])
            objects = list(_objects(listed, masked, sample, target))
            others = [one for one in listed if one.ann_id != target]
            alone += len(objects) == 1
            unnamed += any(one.category is None for one in (sample, *others))
            unmasked += any(not one.parts for one in others)
            for turn, (run, coded) in enumerate(zip(runs, masks, strict=True)):
                mask = _mask(run, coded, row if codes is None else sample.id, sample)
                classes[turn, at] = _CODES[outcome_of(mask, float(ious[turn][row]), objects)]
    classed = np.flatnonzero((classes >= 0).all(axis=0))
    return FailureCounts(
        ids.take(row_of[classed]), split.sample_images[classed].astype(np.int64), classes[:, classed],
        without_mask, alone, unnamed, unmasked,
    )  # fmt: skip


def _in_step(rows: Sequence[Mapping[str, Row]] | Sequence[RowColumns]) -> list[RowColumns]:
    """Each run's rows as columns, all in the order of the first run's."""
    return [
        of if isinstance(of, RowColumns) else RowColumns.of([of[name] for name in cast("Mapping[str, Row]", rows[0])])
        for of in rows
    ]


def outcome_of(mask: LazyMask | np.ndarray, iou: float | None, objects: Sequence[ImageObject]) -> str:
    """The class of one prediction, a key of `OUTCOMES`; see above for the definitions.

    Args:
        mask: the predicted mask, lazy or bool ``(H, W)``.
        iou: IoU with the truth under the run's rules.
        objects: the image's objects with their pixels at the same size; the true one is among them.
    """
    mask = LazyMask.of_pixels(mask)
    size = mask.area
    if not size:
        return "empty"
    if iou is not None and iou >= RIGHT:
        return "right"
    best: tuple[int, int, ImageObject] | None = None
    # Sorting is stable, so objects of one kind stay in the annotation's order.
    for one in sorted(objects, key=lambda each: (not each.is_true, not each.is_of_class)):
        both, either = overlap(mask, one.mask)
        if not both or (10 * both < _TENTHS * either and 2 * both < size):
            continue
        # The larger IoU, compared as whole numbers; of equal ones the first stays.
        if best is None or both * best[1] > best[0] * either:
            best = both, either, one
    if best is None:
        return "background"
    if best[2].is_true:
        return "partial"
    return "same_class" if best[2].is_of_class else "other_object"


def _objects(
    listed: Sequence[Object], masks: Mapping[int, LazyMask], sample: Sample, target: int | str
) -> Iterator[ImageObject]:
    for place, mask in masks.items():
        one = listed[place]
        is_of_class = one.category is not None and one.category == sample.category
        yield ImageObject(mask, one.ann_id == target, is_of_class)


def _mask(run: Run, codes: Any, key: int | str, sample: Sample) -> LazyMask:
    """A run's mask of a sample at the image's size."""
    try:
        code = codes[key]
    except KeyError:
        raise DataError(f"{run.path}: has a row but no mask of {sample.id}") from None
    try:
        mask = LazyMask.of_code(code)
    except (MaskError, AttributeError, TypeError) as error:
        raise MaskError(f"{run.path}: the mask of {sample.id}: {error}") from None
    return mask if mask.shape == sample.size else LazyMask.of_pixels(at_size(mask.pixels, sample.size))


def _of(count: int, total: int) -> str:
    return f"{count} of {counted(total, 'expression')} {'is' if count == 1 else 'are'}"
