"""Find images, objects and expressions that occur both in training and in test data.

RefCOCO, RefCOCO+ and RefCOCOg all annotate COCO's 2014 training images, each with its own splits. A method that is
trained on one set and tested on another has seen test images, often with the same objects. ReferIt's splits share
SAIAPR's images. Within RefCOCOg the Google split divides objects and not images; this warning is always given, even
without the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import DataError, UsageError
from ..annotations.columns import Ident
from ..catalog import find, names
from ..entry import Entry
from ..load import Progress, load_split, locate
from ..split import Split
from .image_list import ImageList
from .repeats import Repeats, repeats_of, shown_in

_RANK = {"train": 0, "val": 1, "test": 2}
_GOOGLE = ("refcocog_train_g", "refcocog_val_g")


@dataclass(frozen=True, slots=True)
class Leak:
    """The overlap of two splits, or of a list of images and a split.

    Attributes:
        trained_on: the training data: the split with the earlier role (train before val before test), or the list's
            file.
        tested: the other split.
        images: number of images in both; None if the two use different image collections, or were not compared.
        of_images: number of images of the tested split.
        objects: number of objects that both refer to; None if the two sets number objects differently, or for a list.
        of_objects: number of objects that the tested split refers to.
        texts: the expressions in both; None if they were not compared.
        listed: for a list, the number of entries that are images of the tested split's data set, and of all entries.
        standing: a warning that holds without the data.
    """

    trained_on: str
    tested: str
    images: int | None
    of_images: int | None
    objects: int | None
    of_objects: int | None
    texts: Repeats | None = None
    listed: tuple[int, int] | None = None
    standing: str | None = None


class _Contents(NamedTuple):
    entry: Entry
    split: Split
    images: set[Ident]
    objects: set[Ident]
    numbering: str

    @classmethod
    def of(cls, split: Split) -> _Contents:
        """The images and objects of a split."""
        targets = split.table.ref_ann[split.ref_rows]
        objects = set(split.table.ann_id.listed(np.unique(targets[targets >= 0])))
        images = set(split.table.image_id.listed(np.unique(split.table.ref_image[split.ref_rows])))
        return cls(split.entry, split, images, objects, _numbering(split))


def find_leaks(
    data_root: str | Path | None = None, splits: Sequence[str] | None = None, progress: Progress | None = None
) -> list[Leak]:
    """Find the overlaps between splits, the largest first.

    Args:
        data_root: the data root; by default ``$RISBENCH_DATA``, else the user data folder.
        splits: names of splits. Of two or more, every pair is compared, also by texts. A single one is compared with
            all available splits. By default all available splits are compared by images and objects, without drawn
            scenes, which never share images, and without pairs that have the same role or no shared image.
        progress: called with ``(done, total)`` expressions of the current pair.

    Raises:
        UsageError: there is no such split, or a split is named twice.
        DataError: a split in ``splits`` is missing, or files are broken.
    """
    named = [find(name, data_root) for name in splits or ()]
    if len({entry.name for entry in named}) < len(named):
        raise UsageError("a split is named twice; it shares all with itself")
    entries = named
    if len(named) < 2:
        others = [find(name) for name in names() if find(name) not in named]
        entries = [*named, *(one for one in others if one.family != "drawn" and _is_there(one, data_root))]
    trained_on = [_Contents.of(load_split(entry.name, data_root)) for entry in entries]
    leaks = []
    for pair in combinations(trained_on, 2):
        a, b = sorted(pair, key=lambda one: _RANK[one.entry.role])
        if len(named) == 1 and named[0] not in (a.entry, b.entry):
            continue
        if len(named) > 1:
            leaks.append(_compared(a, b, progress))
        elif a.entry.role != b.entry.role and (leak := _leak(a, b)).images:
            leaks.append(leak)
    return sorted(leaks, key=lambda leak: (-(leak.images or 0) / (leak.of_images or 1), leak.trained_on, leak.tested))


def find_listed(listed: ImageList, splits: Sequence[str], data_root: str | Path | None = None) -> list[Leak]:
    """Find the images of a list that are in test splits.

    Args:
        listed: the training images; numbers are ids in each split's own image collection.
        splits: names of the tested splits.
        data_root: see :func:`find_leaks`.

    Raises:
        UsageError: there is no such split.
        DataError: a split is missing or broken.
    """
    leaks = []
    for name in splits:
        split = load_split(name, data_root)
        table, one = split.table, _Contents.of(split)
        files = {row: table.image_file[row].rpartition("/")[2] for row in range(len(table.image_id))}
        ids, by_file = listed.ids, listed.files
        idents = table.image_id.listed()
        known = listed.known(set(idents), set(files.values()))
        shared = {idents[row] for row, file in files.items() if idents[row] in ids or file in by_file} & one.images
        texts = Repeats(len(split), shown_in(split, shared))
        leaks.append(
            Leak(
                listed.path.name,
                split.name,
                len(shared),
                len(one.images),
                None,
                len(one.objects),
                texts,
                (known, len(listed.entries)),
            )
        )
    return leaks


def with_standing(leaks: Sequence[Leak], splits: Sequence[str] | None = None) -> list[Leak]:
    """The leaks, with the warnings that hold without data for these splits (None for all), also as new entries."""
    if splits is not None and not set(_GOOGLE) & set(splits):
        return list(leaks)
    warning = standing_warning()
    found = [replace(leak, standing=warning) if (leak.trained_on, leak.tested) == _GOOGLE else leak for leak in leaks]
    if any(leak.standing for leak in found):
        return found
    return [*found, Leak(*_GOOGLE, None, find(_GOOGLE[1]).expected.images, None, None, standing=warning)]


def standing_warning() -> str:
    """The warning about Google's split of RefCOCOg, from published counts alone."""
    train, val = (find(name).expected.images or 0 for name in _GOOGLE)
    # UMD divided the same 49,822 refs by images, so the images of its parts add up to all images of the set.
    whole = sum(find(f"refcocog_{part}_u").expected.images or 0 for part in ("train", "val", "test"))
    least = train + val - whole
    return (
        f"Google's split of RefCOCOg divides objects, not images: {train:,} images in train and {val:,} in val of "
        f"{whole:,} in all (published counts), so at least {least:,} of val's images ({least / val:.0%}) are trained "
        "on, with other objects; refcocog_*_u divides images"
    )


def _leak(a: _Contents, b: _Contents) -> Leak:
    together = _world(a.entry) == _world(b.entry)
    objects = len(a.objects & b.objects) if together and a.numbering == b.numbering else None
    images = len(a.images & b.images) if together else None
    return Leak(a.entry.name, b.entry.name, images, len(b.images), objects, len(b.objects))


def _compared(a: _Contents, b: _Contents, progress: Progress | None) -> Leak:
    leak = _leak(a, b)
    images = a.images & b.images if leak.images is not None else set[Ident]()
    return replace(leak, texts=repeats_of(a.split, b.split, images, leak.objects is not None, progress))


def _is_there(entry: Entry, data_root: str | Path | None) -> bool:
    try:
        locate(entry, data_root)
    except DataError:
        return False
    return True


def _world(entry: Entry) -> str:
    """The image collection of a split; ids are compared only within one collection."""
    return entry.name if entry.family in ("drawn", "own") else "saiapr" if entry.family == "referit" else "coco"


def _numbering(split: Split) -> str:
    """The numbering of a split's objects: COCO's, refclef's, or (in ReferIt's pickles) that of the refs."""
    return "refs" if split.sources[0].path.suffix == ".pickle" else _world(split.entry)
