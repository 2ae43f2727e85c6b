"""Masks of a split taken from another file: the same images and expressions, segmented anew.

`truthfile` tells the form of the file. What is decided here:

- The box becomes the one round the new mask, because PointIt and Accbox must not judge another truth than mIoU does;
  an entry with a ``bbox`` (x y w h, as in COCO) keeps that.
- An object that the file does not name keeps its annotated mask, and how many do is recorded; with ``only`` its
  expressions are left out, and the split is partial.
- Entries about objects of the data set that lie in other splits' images are passed over: one file serves all splits.
- All else is refused by name: ids that the data set does not have, sizes that are not the image's, empty masks, two
  masks for one object.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, MaskError, UsageError
from ..io.hashes import sha256_of, state_of
from ..io.jsonfile import collector_at_rest
from ..plain import counted
from .truthfile import Mask, entries_of, mask_of

if TYPE_CHECKING:
    from .split import Split

_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Truth:
    """Another truth of a split.

    Attributes:
        path, sha256: the file.
        whole: the split as it is annotated, with all its samples.
        masks: by annotation row.
        replaces: how many samples of ``whole`` have another mask than annotated.
        only: whether the other samples are left out.
        elsewhere: entries about objects of other splits' images.
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
        """The samples that the file does not name: annotated as ever, or left out."""
        return len(self.whole) - self.replaces

    @cached_property
    def left_out(self) -> frozenset[str]:
        """The names of samples that are left out: their ids, and their ``sent_id`` as text."""
        if not self.only:
            return frozenset()
        rows = self.whole.rows[~_named(self.whole, self.masks)]
        sentences = map(str, self.whole.table.sent_id.listed(rows))
        left = ~_named(self.whole, self.masks)
        return frozenset([*sentences, *(name for name, out in zip(self.whole.ids, left.tolist(), strict=True) if out)])

    def record(self) -> dict[str, Any]:
        """What a result stores of it, and a resumed run compares."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "replaces": self.replaces,
            "of": len(self.whole),
            "only": self.only,
        }


def with_truth(split: Split, path: Path, only: bool = False) -> Split:
    """The split with masks from a file; see `truthfile` for its form.

    Raises:
        DataError: the file is missing or broken, or an entry cannot be used; the first few are named.
        UsageError: the split has another truth already.
    """
    from .split import count_of

    if split.truth is not None:
        raise UsageError(f"{split.name} has the truth of {split.truth.path} already: start from the split as annotated")
    before = state_of(path)
    digest = sha256_of(path)
    with collector_at_rest():
        masks, elsewhere = _masks(split, path)
    if state_of(path) != before:
        raise DataError(f"{path}: was changed while it was read; start again")
    named = _named(split, masks)
    if not named.any():
        about = counted(elsewhere, "entry is", "entries are")
        raise DataError(f"{path}: replaces no mask of {split.name}: its {about} about other images")
    truth = Truth(path, digest, split, masks, int(named.sum()), only, elsewhere)
    if not only or named.all():
        return replace(split, truth=truth)
    targets = split.table.ref_ann[split.ref_rows]
    refs = split.ref_rows[np.isin(targets, list(masks))]
    rows = split.rows[named]
    return replace(split, truth=truth, rows=rows, ref_rows=refs, counts=count_of(split.table, refs, rows), partial=True)


def _named(split: Split, masks: dict[int, Mask]) -> np.ndarray:
    """Which samples are about an object that has another mask: bool ``(n,)``."""
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
    """The annotation rows of an id."""

    def __init__(self, split: Split) -> None:
        table = split.table
        self.inside = np.zeros(len(table.image_id), bool)
        self.inside[table.ref_image[split.ref_rows]] = True
        self._anns = {str(ident): row for row, ident in enumerate(table.ann_id.listed())}
        self._refs: dict[str, list[int]] = {}
        for ident, ann in zip(table.ref_id.listed(), table.ref_ann.tolist(), strict=True):
            self._refs.setdefault(str(ident), []).append(ann)

    def rows(self, key: str, ident: Any) -> list[int] | str:
        """The rows, or what is wrong with the id."""
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
