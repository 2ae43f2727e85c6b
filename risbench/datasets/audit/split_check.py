"""Audit a split: counts, images, masks, boxes and duplicates; every problem is named.

By default nothing is decoded: only the first and last bytes of an image and the corners of a polygon are checked.
``deep`` decodes every pixel and draws every polygon. Faults of outlines are defined in `objects`. In addition:

- A partial copy is reported, but it is not a problem by itself.
- Duplicate texts and objects are properties of the data set, and only notes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...plain import counted
from ..annotations.index import SourceFile
from ..catalog import find
from ..entry import UNKNOWN, Counts
from ..load import Progress, load_split
from ..split import Split
from .duplicates import DuplicateTexts, doubled_ids, shared_objects
from .findings import Note, Problem
from .image_files import look_at_images
from .objects import ObjectAudit

_EVERY = 16  # between two words of progress


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an audit.

    Attributes:
        name: the split's name.
        counts, expected: the counts of the copy, and of the literature (None if unconfirmed).
        partial: whether these differ.
        deep: whether pixels were decoded and polygons drawn.
        sources: the files that were read, with their SHA-256.
        images_present, images_absent: number of existing and missing image files; both 0 if images were not checked.
        formats: number of valid image files of each format.
        masks: number of objects with a valid mask.
        without_mask: the objects, or expressions, without a target.
        problems: the faults, in the order in which they were found.
        notes: properties that are not faults.
    """

    name: str
    counts: Counts
    expected: Counts
    partial: bool
    deep: bool = False
    sources: tuple[SourceFile, ...] = ()
    images_present: int = 0
    images_absent: int = 0
    formats: dict[str, int] = field(default_factory=dict)
    masks: int = 0
    without_mask: int = 0
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    notes: tuple[Note, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there are no problems."""
        return not self.problems


def check_split(
    name: str,
    data_root: str | Path | None = None,
    images: bool = True,
    progress: Progress | None = None,
    *,
    deep: bool = False,
) -> Report:
    """Audit a split.

    Args:
        name: the split's name.
        data_root: the data root; by default ``$RISBENCH_DATA``, else the user data folder.
        images: whether to check the image files, too.
        progress: called with ``(done, total)``; every image counts twice, for its file and for its masks.
        deep: decode every pixel and draw every polygon; this takes milliseconds per image instead of a tenth of one.

    Raises:
        UsageError: there is no such split. Data that cannot be read are a problem in the report, not an error.
    """
    entry = find(name, data_root)
    try:
        split = load_split(name, data_root)
    except DataError as error:
        found = (Problem("files", entry.name, str(error)),)
        return Report(entry.name, UNKNOWN, entry.expected, partial=True, deep=deep, problems=found)
    problems = [
        Problem("id", f"{what} {ident}", f"{path}: {what} id {ident!r:.40} occurs more than once")
        for what, ident, path in doubled_ids(split)
    ]
    if not len(split):
        problems.append(Problem("expressions", split.name, "there are none, so nothing can be run or scored"))
    rows = np.unique(split.table.ref_image[split.ref_rows])
    formats: Counter[str] = Counter()
    absent = looked = 0
    turned: list[str] = []
    if images:
        for looked, image in enumerate(look_at_images(split, rows, deep), 1):
            if image.fault is not None:
                problems.append(Problem("image", image.path.name, image.fault))
                absent += image.absent
            else:
                formats[image.format] += 1
                turned += [image.path.name] if image.orientation != 1 else []
            if progress and looked % _EVERY == 0:
                progress(looked, 2 * len(rows))
    targets = split.table.ref_ann[split.ref_rows]
    masks = 0
    empty = int((targets < 0).sum())
    look = ObjectAudit(split, deep)
    for done, verdict in enumerate(look.verdicts(problems), 1):
        masks += verdict is True
        empty += verdict is None
        if progress and done % _EVERY == 0:
            progress(len(rows) + done * len(rows) // len(look.anns), 2 * len(rows))
    if progress:
        progress(2 * len(rows), 2 * len(rows))
    return Report(
        entry.name,
        split.counts,
        split.expected,
        split.partial,
        deep,
        split.sources,
        looked - absent,
        absent,
        dict(formats.most_common()),
        masks,
        empty,
        tuple(problems),
        (*_doubled(split), *look.notes(), *_turned(turned)),
    )


def _turned(files: list[str]) -> Iterator[Note]:
    if files:
        count = counted(len(files), "image carries", "images carry")
        text = f"{count} an EXIF rotation, the first {files[0]}: methods are shown the pixels as they are stored, and"
        yield Note("exif", len(files), f"{text} masks and boxes are taken to lie on these")


def _doubled(split: Split) -> Iterator[Note]:
    duplicates = DuplicateTexts(split)
    count, about, first = duplicates.twice()
    if count:
        text = counted(count, "expression repeats", "expressions repeat")
        text += f" another about the same object ({counted(about, 'object')}), the first '{first}'"
        yield Note("texts", count, text)
    count, about, first = duplicates.of_several()
    if count:
        text = counted(count, "expression is", "expressions are")
        text += f" used for several objects of one image ({counted(about, 'image')}), the first '{first}'"
        yield Note("ambiguous", count, text)
    count, first = shared_objects(split)
    if count:
        yield Note("objects", count, f"{counted(count, 'object has', 'objects have')} several refs, the first {first}")
