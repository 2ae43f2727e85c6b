"""The file that brings other masks for a split.

The file is JSON, in one of three forms; ids are those of refs or of annotations, numbers or text::

    [{"ref_id": 17, "segmentation": {"size": [480, 640], "counts": "PYg38f>2N…"}},
     {"ann_id": 4, "segmentation": [[310.5, 20, 412, 20, 412, 96.5]], "bbox": [310.5, 20, 101.5, 76.5]}]

    {"ref_id": {"17": {"size": [480, 640], "counts": [1200, 35, 445, 36, 305484]}}}      or with "ann_id"

    {"annotations": [{"id": 4, "segmentation": …, "bbox": …}]}                           COCO's instances.json

A segmentation is whatever an annotation may hold: one run-length code, compressed or as a list of lengths, a list of
codes, or a list of polygons. Rules combine several parts as they do for annotations, so one code is one mask under all
of them. A ``bbox`` is x, y, width and height, as in COCO.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError, MaskError
from ..io.jsonfile import read_json
from ..masks import box_round, parts_of
from ..records import RLE, Box
from .annotations.columns import Ident

FORMS = 'a list of {"ref_id" or "ann_id", "segmentation"}, {"ref_id": {id: segmentation}}, or COCO\'s instances.json'


class Mask(NamedTuple):
    """What a truth file says of one object."""

    parts: tuple[RLE, ...]
    box: Box


class TruthEntry(NamedTuple):
    """One mask of the file, and whose it is: ``key`` is ``ref_id`` or ``ann_id``; the rest is as it stands there."""

    name: str
    key: str
    ident: Any
    segmentation: Any
    bbox: Any


def entries_of(path: Path) -> Iterator[TruthEntry]:
    """The entries of a file, in its order.

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
        # In COCO's own form an annotation's id is just "id".
        keys = [key for key in ("ref_id", "ann_id") if row.get(key) is not None] or ["id"]
        if len(keys) > 1:
            raise DataError(f"{path}: entry {number} has both 'ref_id' and 'ann_id'; one of them says which object")
        ident = row.get(keys[0])
        if ident is None:
            raise DataError(f"{path}: entry {number} has neither 'ref_id' nor 'ann_id'")
        yield _entry(keys[0], ident, row["segmentation"], row.get("bbox"))


def _mapped(path: Path, whole: dict[str, Any]) -> Iterator[TruthEntry]:
    for key, masks in whole.items():
        if key not in ("ref_id", "ann_id") or not isinstance(masks, dict):
            raise DataError(f"{path}: {key!r:.40} stands where 'ref_id' or 'ann_id' should; a truth file is {FORMS}")
        for ident, segmentation in masks.items():
            yield _entry(key, ident, segmentation, None)


def _entry(key: str, ident: Ident, segmentation: Any, bbox: Any) -> TruthEntry:
    name = f"{'ref' if key == 'ref_id' else 'annotation'} {ident!s:.40}"
    return TruthEntry(name, "ref_id" if key == "ref_id" else "ann_id", ident, segmentation, bbox)


def mask_of(entry: TruthEntry, size: tuple[int, int]) -> Mask:
    """The mask of an entry, in an image of a size.

    Raises:
        MaskError: it has none, or one that does not fit.
    """
    parts = parts_of(entry.segmentation, size)
    box = box_round(parts)
    if box is None:
        raise MaskError("its mask is empty (leave the entry out, and the annotated one stays)")
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
