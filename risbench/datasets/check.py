"""A split looked over: counts, images, masks, boxes, doubled ids; every problem named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError, MaskError
from ..masks import box_of, union_of
from ..records import Box
from .catalog import UNKNOWN, Counts, find
from .columns import Idents
from .images import read_image
from .index import Source
from .load import Progress, load_split
from .split import Split

# A COCO box is drawn round its mask, give or take a pixel. At less than half in common one of them is another object's.
_LEAST_COMMON = 0.5


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        kind: ``files``, ``counts``, ``image``, ``mask``, ``box`` or ``id``.
        name: what it is wrong with: a file, an image, an annotation, an id.
        text: what is wrong, in a line.
    """

    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a look over a split found.

    Attributes:
        name: the split.
        counts, expected: what it has, and what the literature has (None where unconfirmed).
        partial: whether these differ.
        sources: the files read, with their SHA-256.
        images_present, images_absent: image files there and not there; both 0 when images were not looked at.
        masks: the objects whose masks could be drawn.
        without_mask: the objects, or expressions, without a target.
        problems: what is wrong, in the order it was found.
    """

    name: str
    counts: Counts
    expected: Counts
    partial: bool
    sources: tuple[Source, ...] = ()
    images_present: int = 0
    images_absent: int = 0
    masks: int = 0
    without_mask: int = 0
    problems: tuple[Problem, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; a partial copy is no fault of its files, and alone is not a problem."""
        return not self.problems


def check_split(
    name: str, data_root: str | Path | None = None, images: bool = True, progress: Progress | None = None
) -> Report:
    """Looks over a split.

    Args:
        name: the split.
        data_root: the data root; by default ``$RISBENCH_DATA``, else the user data folder.
        images: whether to read the image files, too (a few milliseconds each).
        progress: told ``(done, total)`` images.

    Raises:
        UsageError: no such split. Data that cannot be read are a problem in the report, not an error.
    """
    entry = find(name, data_root)
    try:
        split = load_split(name, data_root)
    except DataError as error:
        found = (Problem("files", entry.name, str(error)),)
        return Report(entry.name, UNKNOWN, entry.expected, partial=True, problems=found)
    problems = [*_doubled(split)]
    seen_images, seen_anns, masks, empty, absent = set[int](), set[int](), 0, 0, 0
    rows = np.unique(split.table.ref_image[split.ref_rows])
    for done, image in enumerate(rows.tolist(), 1):
        if images:
            seen_images.add(image)
            absent += _look_at_image(split, image, problems)
        if progress:
            progress(done, 2 * len(rows))
    targets = split.table.ref_ann[split.ref_rows]
    for done, ann in enumerate(targets.tolist(), 1):
        if ann < 0:
            empty += 1
        elif ann not in seen_anns:
            seen_anns.add(ann)
            drawn = _look_at_mask(split, ann, problems)
            masks += drawn is True
            empty += drawn is None
        if progress:
            progress(len(rows) + done * len(rows) // len(targets), 2 * len(rows))
    return Report(
        entry.name,
        split.counts,
        split.expected,
        split.partial,
        split.sources,
        len(seen_images) - absent,
        absent,
        masks,
        empty,
        tuple(problems),
    )


def _doubled(split: Split) -> Iterator[Problem]:
    table = split.table
    for what, idents, source in (
        ("image", table.image_id, split.sources[-1]),
        ("annotation", table.ann_id, split.sources[-1]),
        ("ref", table.ref_id, split.sources[0]),
        ("sentence", table.sent_id, split.sources[0]),
    ):
        for ident in _repeated(idents):
            yield Problem("id", f"{what} {ident}", f"{source.path}: {what} id {ident!r:.40} occurs more than once")


def _repeated(idents: Idents) -> list[int | str]:
    return [ident for ident, count in Counter(idents.listed()).items() if count > 1]


def _look_at_image(split: Split, image: int, problems: list[Problem]) -> bool:
    """Notes what is wrong with an image file; whether it is absent."""
    path = split.image_files.find(split.table.image_file[image])
    if not path.is_file():
        problems.append(Problem("image", path.name, f"{path}: no such image; {split.entry.images_origin}"))
        return True
    try:
        read_image(path, split.table.size(image))
    except DataError as error:
        problems.append(Problem("image", path.name, str(error)))
    return False


def _look_at_mask(split: Split, ann: int, problems: list[Problem]) -> bool | None:
    """Notes what is wrong with an annotation; True for a mask, None where there is none, False for a broken one."""
    table = split.table
    name = f"annotation {table.ann_id[ann]}"
    size = table.size(int(table.ann_image[ann]))
    try:
        parts = table.outlines.parts(ann, size)
        mask = union_of(parts, size)
    except MaskError as error:
        problems.append(Problem("mask", name, f"{split.sources[-1].path}: {name}: {error}"))
        return False
    drawn = box_of(mask)
    if drawn is None:
        return None
    corners = table.ann_box[ann].tolist()
    if corners[0] != corners[0]:
        problems.append(Problem("box", name, f"{split.sources[-1].path}: {name}: has a mask and no box"))
    elif (common := _in_common(Box(*corners), drawn)) < _LEAST_COMMON:
        told = f"its box and the box of its mask have {common:.0%} in common"
        problems.append(Problem("box", name, f"{split.sources[-1].path}: {name}: {told}"))
    return True


def _in_common(a: Box, b: Box) -> float:
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area
    return shared / (a.area + b.area - shared) if shared else 0.0
