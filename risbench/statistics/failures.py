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
from typing import Any, NamedTuple

import numpy as np

from ..datasets.split import Object, Split
from ..errors import DataError, MaskError
from ..masks import at_size, decode, union_of
from ..plain import counted
from ..records import Sample
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

RIGHT = 0.5  # IoU, as in P@0.5
_TENTHS = 1  # IoU in tenths from which on a mask lies on an object


class ImageObject(NamedTuple):
    """One object of an image: its pixels, bool ``(H, W)``, whether it is the true one, and of its class."""

    mask: np.ndarray
    is_true: bool
    is_of_class: bool


@dataclass(frozen=True, slots=True)
class FailureCounts:
    """The outcomes of some runs on the same expressions.

    Attributes:
        outcomes: for each run, the class of each expression by sample id, in the split's order.
        without_mask: number of expressions without a true mask, which have no class.
        alone: number of classed expressions whose image has no other annotated object with a mask.
        unnamed: number of classed expressions with an object in the image whose class the annotation does not name.
        unmasked: number of classed expressions with another object in the image that has no mask.
    """

    outcomes: tuple[dict[str, str], ...]
    without_mask: int = 0
    alone: int = 0
    unnamed: int = 0
    unmasked: int = 0

    def notes(self) -> list[str]:
        """What must stand beside the figures: where the annotation cannot show a class. One sentence each."""
        total = len(self.outcomes[0])
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
    rows: Sequence[Mapping[str, Row]],
    codes: Sequence[Mapping[str, Any]] | None = None,
) -> FailureCounts:
    """The outcome of each expression under each run.

    Args:
        split: the split of the runs, with their truth.
        runs: the runs, whose masks are read.
        rows: each run's rows by sample id, with the same ids in each.
        codes: each run's run-length codes by sample id, if they were read already.

    Raises:
        DataError: a run has no mask for an expression.
        MaskError: a mask's code is malformed; run and expression are named.
    """
    masks = [_codes(run, set(rows[0])) for run in runs] if codes is None else codes
    targets = dict(zip(split.ids, split.table.ann_id.listed(split.sample_anns), strict=True))
    found: tuple[dict[str, str], ...] = tuple({} for _ in runs)
    without_mask = alone = unnamed = unmasked = 0
    for places in split.places_by_image():
        kept = [split[at] for at in places if split.ids[at] in rows[0]]
        judged = [sample for sample in kept if sample.parts and not any(of[sample.id].without_mask for of in rows)]
        without_mask += len(kept) - len(judged)
        if not judged:
            continue
        listed = split.objects(judged[0].image_id)
        pixels = {place: union_of(one.parts, judged[0].size) for place, one in enumerate(listed) if one.parts}
        for sample in judged:
            objects = list(_objects(listed, pixels, sample, targets[sample.id]))
            others = [one for one in listed if one.ann_id != targets[sample.id]]
            alone += len(objects) == 1
            unnamed += any(one.category is None for one in (sample, *others))
            unmasked += any(not one.parts for one in others)
            for run, coded, of, outcomes in zip(runs, masks, rows, found, strict=True):
                mask = at_size(_mask(run, coded, sample.id), sample.size)
                outcomes[sample.id] = outcome_of(mask, of[sample.id].iou, objects)
    in_order = tuple({name: of[name] for name in split.ids if name in of} for of in found)
    return FailureCounts(in_order, without_mask, alone, unnamed, unmasked)


def outcome_of(mask: np.ndarray, iou: float | None, objects: Sequence[ImageObject]) -> str:
    """The class of one prediction, a key of `OUTCOMES`; see above for the definitions.

    Args:
        mask: the predicted mask, bool ``(H, W)``.
        iou: IoU with the truth under the run's rules.
        objects: the image's objects with their pixels at the same size; the true one is among them.
    """
    size = int(np.count_nonzero(mask))
    if not size:
        return "empty"
    if iou is not None and iou >= RIGHT:
        return "right"
    best: tuple[int, int, ImageObject] | None = None
    # Sorting is stable, so objects of one kind stay in the annotation's order.
    for one in sorted(objects, key=lambda each: (not each.is_true, not each.is_of_class)):
        both = int(np.count_nonzero(mask & one.mask))
        either = size + int(np.count_nonzero(one.mask)) - both
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
    listed: Sequence[Object], pixels: Mapping[int, np.ndarray], sample: Sample, target: int | str
) -> Iterator[ImageObject]:
    for place, mask in pixels.items():
        one = listed[place]
        is_of_class = one.category is not None and one.category == sample.category
        yield ImageObject(mask, one.ann_id == target, is_of_class)


def _codes(run: Run, wanted: set[str]) -> dict[str, Any]:
    return {name: line.get("segmentation") for name, line in run.masks() if name in wanted}


def _mask(run: Run, codes: Mapping[str, Any], name: str) -> np.ndarray:
    if name not in codes:
        raise DataError(f"{run.path}: has a row but no mask of {name}")
    try:
        return decode(codes[name])
    except (MaskError, AttributeError, TypeError) as error:
        raise MaskError(f"{run.path}: the mask of {name}: {error}") from None


def _of(count: int, total: int) -> str:
    return f"{count} of {counted(total, 'expression')} {'is' if count == 1 else 'are'}"
