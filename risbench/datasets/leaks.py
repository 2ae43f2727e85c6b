"""Images that a method may have trained on and is then tested on.

RefCOCO, RefCOCO+ and RefCOCOg all annotate COCO's 2014 training images, each with splits of its own: who trains on one
set and tests on another has seen test images, often with the very objects. ReferIt's splits share SAIAPR's images.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from .catalog import Entry, find, names
from .columns import Ident
from .load import load_split, locate
from .split import Split

_RANK = {"train": 0, "val": 1, "test": 2}


class Leak(NamedTuple):
    """Two splits of different roles that share images.

    Attributes:
        seen: the split of the earlier role: train before val before test.
        tested: the other one.
        images: the images in both.
        of_images: the images of the tested split.
        objects: the objects that both refer to; None where the two sets number objects differently.
        of_objects: the objects that the tested split refers to.
    """

    seen: str
    tested: str
    images: int
    of_images: int
    objects: int | None
    of_objects: int


class _Seen(NamedTuple):
    entry: Entry
    images: set[Ident]
    objects: set[Ident]
    numbering: str


def find_leaks(data_root: str | Path | None = None, splits: Sequence[str] | None = None) -> list[Leak]:
    """The overlaps between those splits that are present, the worst first.

    Args:
        data_root: the data root; by default ``$RISBENCH_DATA``, else the user data folder.
        splits: the splits to compare; by default all but drawn scenes, which share no image by construction.

    Raises:
        UsageError: no such split.
        DataError: a split named in ``splits`` is missing; or the files of any are broken.
    """
    entries = [find(name, data_root) for name in (names() if splits is None else splits)]
    seen = []
    for entry in entries:
        if splits is None and (entry.family == "drawn" or not _is_there(entry, data_root)):
            continue
        split = load_split(entry.name, data_root)
        targets = split.table.ref_ann[split.ref_rows]
        objects = set(split.table.ann_id.listed(np.unique(targets[targets >= 0])))
        images = set(split.table.image_id.listed(np.unique(split.table.ref_image[split.ref_rows])))
        seen.append(_Seen(entry, images, objects, _numbering(split)))
    leaks = []
    for pair in combinations(seen, 2):
        a, b = sorted(pair, key=lambda one: _RANK[one.entry.role])
        if a.entry.role == b.entry.role or _world(a.entry) != _world(b.entry):
            continue
        if shared := len(a.images & b.images):
            objects = len(a.objects & b.objects) if a.numbering == b.numbering else None
            leaks.append(Leak(a.entry.name, b.entry.name, shared, len(b.images), objects, len(b.objects)))
    return sorted(leaks, key=lambda leak: (-leak.images / leak.of_images, leak.seen, leak.tested))


def _is_there(entry: Entry, data_root: str | Path | None) -> bool:
    try:
        locate(entry, data_root)
    except DataError:
        return False
    return True


def _world(entry: Entry) -> str:
    """Whose images they are: ids are compared only within one collection."""
    return entry.name if entry.family in ("drawn", "own") else "saiapr" if entry.family == "referit" else "coco"


def _numbering(split: Split) -> str:
    """Whose object ids they are: COCO's, refclef's, or (in ReferIt's pickles) those of the refs."""
    return "refs" if split.sources[0].path.suffix == ".pickle" else _world(split.entry)
