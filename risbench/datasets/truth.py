"""Other masks for a split, from a file: new segmentations of the same images and expressions.

The file is JSON, in one of three forms; ids are those of refs or of annotations, numbers or text::

    [{"ref_id": 17, "segmentation": {"size": [480, 640], "counts": "PYg38f>2N…"}},
     {"ann_id": 4, "segmentation": [[310.5, 20, 412, 20, 412, 96.5]], "bbox": [310.5, 20, 101.5, 76.5]}]

    {"ref_id": {"17": {"size": [480, 640], "counts": [1200, 35, 445, 36, 305484]}}}      or with "ann_id"

    {"annotations": [{"id": 4, "segmentation": …, "bbox": …}]}                           COCO's instances.json

A segmentation has any form of an annotation: one run-length code, compressed or as a list of lengths, a list of codes,
or a list of polygons. Rules combine several parts as they do for annotations. One code is the same mask under all
rules. A ``bbox`` is x, y, width and height, as in COCO.

The rules of this module are:

- The box is the one round the new mask, because PointIt, Accbox and mIoU must use the same truth. An entry with a
  ``bbox`` (x y w h, as in COCO) keeps it.
- An object that the file does not name keeps its annotated mask, and the number of such samples is recorded. With
  ``only`` its expressions are left out, and the split is partial.
- Entries about objects in images of other splits are ignored, so that one file can serve all splits.
- All other entries are refused by name: unknown ids, sizes that differ from the image's, empty masks, two masks for one
  object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DataError, MaskError, UsageError
from ..io.hashes import sha256_of, state_of
from ..io.jsonfile import collector_at_rest, read_json
from ..masks import box_round, parts_of
from ..plain import counted
from ..records import RLE, Box
from .annotations.columns import Ident

if TYPE_CHECKING:
    from .split import Split

_SHOWN = 3


FORMS = 'a list of {"ref_id" or "ann_id", "segmentation"}, {"ref_id": {id: segmentation}}, or COCO\'s instances.json'


class Mask(NamedTuple):
    """The new mask and box of one object."""

    parts: tuple[RLE, ...]
    box: Box


class TruthEntry(NamedTuple):
    """One entry of the file; ``key`` is ``ref_id`` or ``ann_id``, the other values are as in the file."""

    name: str
    key: str
    ident: Any
    segmentation: Any
    bbox: Any


def entries_of(path: Path) -> Iterator[TruthEntry]:
    """Read the entries of a file, in its order.

    Raises:
        DataError: the file is missing or broken, or of another form.
    """
    whole = read_json(path, f"a truth file is {FORMS}")
    if isinstance(whole, dict) and "annotations" not in whole:
        yield from _mapped(path, whole)
        return
    rows = whole["annotations"] if isinstance(whole, dict) else whole
    if not isinstance(rows, list):
        raise DataError(f"{path}: holds a {type(rows).__name__}; a truth file is {FORMS}")
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or "segmentation" not in row:
            raise DataError(f"{path}: entry {number} has no 'segmentation'; a truth file is {FORMS}")
        # In COCO's own form an annotation's id has the key "id".
        keys = [key for key in ("ref_id", "ann_id") if row.get(key) is not None] or ["id"]
        if len(keys) > 1:
            raise DataError(f"{path}: entry {number} has both 'ref_id' and 'ann_id'; give only one of them")
        ident = row.get(keys[0])
        if ident is None:
            raise DataError(f"{path}: entry {number} has neither 'ref_id' nor 'ann_id'")
        yield _entry(keys[0], ident, row["segmentation"], row.get("bbox"))


def _mapped(path: Path, whole: dict[str, Any]) -> Iterator[TruthEntry]:
    for key, masks in whole.items():
        if key not in ("ref_id", "ann_id") or not isinstance(masks, dict):
            raise DataError(f"{path}: {key!r:.40} is in the place of 'ref_id' or 'ann_id'; a truth file is {FORMS}")
        for ident, segmentation in masks.items():
            yield _entry(key, ident, segmentation, None)


def _entry(key: str, ident: Ident, segmentation: Any, bbox: Any) -> TruthEntry:
    name = f"{'ref' if key == 'ref_id' else 'annotation'} {ident!s:.40}"
    return TruthEntry(name, "ref_id" if key == "ref_id" else "ann_id", ident, segmentation, bbox)


def mask_of(entry: TruthEntry, size: tuple[int, int]) -> Mask:
    """The mask of an entry, for an image of a given size.

    Raises:
        MaskError: there is no mask, or it does not fit.
    """
    parts = parts_of(entry.segmentation, size)
    box = box_round(parts)
    if box is None:
        raise MaskError("its mask is empty (without the entry the annotated mask is kept)")
    if entry.bbox is None:
        return Mask(parts, box)
    sides = entry.bbox
    if (
        not isinstance(sides, list)
        or len(sides) != 4
        or not all(type(side) in (int, float) and abs(side) <= 1e7 for side in sides)
        or min(sides[2:]) < 0
    ):
        raise MaskError(f"'bbox' is x, y, width and height, got {sides!r:.60}")
    x, y, width, height = map(float, sides)
    return Mask(parts, Box(x, y, x + width, y + height))


@dataclass(frozen=True, eq=False)
class OtherTruth:
    """The other masks of a split.

    Attributes:
        path, sha256: the file.
        whole: the split with its annotated masks and all its samples.
        masks: the new masks, by annotation row.
        replaces: number of samples of ``whole`` with a new mask.
        only: whether the other samples are left out.
        elsewhere: number of entries about objects in images of other splits.
    """

    path: Path
    sha256: str
    whole: Split
    masks: dict[int, Mask]
    replaces: int
    only: bool
    elsewhere: int

    @property
    def kept(self) -> int:
        """The number of samples that the file does not name; they keep their annotated masks, or are left out."""
        return len(self.whole) - self.replaces

    @cached_property
    def left_out(self) -> frozenset[str]:
        """The names of samples that are left out: their ids, and their ``sent_id`` as texts."""
        if not self.only:
            return frozenset()
        rows = self.whole.rows[~_named(self.whole, self.masks)]
        sentences = map(str, self.whole.table.sent_id.listed(rows))
        left = ~_named(self.whole, self.masks)
        return frozenset([*sentences, *(name for name, out in zip(self.whole.ids, left.tolist(), strict=True) if out)])

    def record(self) -> dict[str, Any]:
        """The record for results; a resumed run compares it."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "replaces": self.replaces,
            "of": len(self.whole),
            "only": self.only,
        }


def with_truth(split: Split, path: Path, only: bool = False) -> Split:
    """The split with masks from a file; see above for its form.

    Raises:
        DataError: the file is missing or broken, or an entry cannot be used; the first few are named.
        UsageError: the split already has another truth.
    """
    if split.truth is not None:
        raise UsageError(f"{split.name} already has the truth of {split.truth.path}: start from the annotated split")
    before = state_of(path)
    digest = sha256_of(path)
    with collector_at_rest():
        masks, elsewhere = _masks(split, path)
    if state_of(path) != before:
        raise DataError(f"{path}: changed while it was read; start again")
    named = _named(split, masks)
    if not named.any():
        about = counted(elsewhere, "entry is", "entries are")
        raise DataError(f"{path}: replaces no mask of {split.name}: its {about} about other images")
    truth = OtherTruth(path, digest, split, masks, int(named.sum()), only, elsewhere)
    if not only or named.all():
        return replace(split, truth=truth)
    targets = split.table.ref_ann[split.ref_rows]
    refs = split.ref_rows[np.isin(targets, list(masks))]
    rows = split.rows[named]
    return replace(split, truth=truth, rows=rows, ref_rows=refs, counts=split.table.count(refs, rows), partial=True)


def _named(split: Split, masks: dict[int, Mask]) -> np.ndarray:
    """Whether each sample's object has a new mask: bool ``(n,)``."""
    return np.isin(split.sample_anns, list(masks))


def _masks(split: Split, path: Path) -> tuple[dict[int, Mask], int]:
    table = split.table
    find = _Finder(split)
    found: dict[int, Mask] = {}
    names: dict[int, str] = {}
    faults: list[str] = []
    elsewhere = 0
    for entry in entries_of(path):
        rows = find.rows(entry.key, entry.ident)
        if isinstance(rows, str):
            faults.append(f"{entry.name}: {rows}")
            continue
        here = [row for row in rows if find.inside[table.ann_image[row]]]
        if not here:
            elsewhere += 1
            continue
        size = table.size(int(table.ann_image[here[0]]))
        try:
            mask = mask_of(entry, size)
        except MaskError as error:
            faults.append(f"{entry.name}: {error}")
            continue
        for row in here:
            if found.setdefault(row, mask) != mask:
                faults.append(f"{entry.name} and {names[row]} are one object with two masks")
            names.setdefault(row, entry.name)
    if faults:
        more = "; …" if len(faults) > _SHOWN else ""
        count = counted(len(faults), "entry", "entries")
        raise DataError(f"{path}: {count} cannot be used: {'; '.join(faults[:_SHOWN])}{more}")
    return found, elsewhere


class _Finder:
    """Finds the annotation rows of ids."""

    def __init__(self, split: Split) -> None:
        table = split.table
        self.inside = np.zeros(len(table.image_id), bool)
        self.inside[table.ref_image[split.ref_rows]] = True
        self._anns = {str(ident): row for row, ident in enumerate(table.ann_id.listed())}
        self._refs: dict[str, list[int]] = {}
        for ident, ann in zip(table.ref_id.listed(), table.ref_ann.tolist(), strict=True):
            self._refs.setdefault(str(ident), []).append(ann)

    def rows(self, key: str, ident: Any) -> list[int] | str:
        """The rows of an id, or the fault of the id."""
        if isinstance(ident, bool) or not isinstance(ident, (int, str)):
            return "an id is a whole number or a text"
        if key == "ann_id":
            row = self._anns.get(str(ident))
            return "the data set has no such annotation" if row is None else [row]
        rows = self._refs.get(str(ident))
        if rows is None:
            return "the data set has no such ref"
        aimed = sorted({row for row in rows if row >= 0})
        return aimed or "this ref has no object whose mask could be replaced"
