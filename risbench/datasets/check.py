"""A split looked over: counts, images, masks, boxes, what is doubled; every problem named.

By default nothing is decoded: an image is known by its first and last bytes, a polygon by its corners. ``deep`` decodes
every pixel and draws every polygon. What is decided here:

- A polygon may reach one pixel beyond its image. Corners are continuous, so COCO's polygons touch the border, and tools
  that round or count pixels from 1 reach past it; farther out it is another image's, or of another size.
- A box and its mask, both grown by half a pixel, must have half in common; with less the box is another object's.
- A partial copy is no fault of its files: it is said, and alone is no problem.
- Texts or objects that stand twice are the data set's own, and are notes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError, MaskError
from ..masks import box_round
from ..records import Box
from .catalog import UNKNOWN, Counts, find
from .doubles import Said, doubled_ids, shared_objects
from .extents import beyond, extents_of, in_common
from .index import Source
from .load import Progress, load_split
from .pictures import look_at_images
from .split import Split

TOLERANCE = 1.0  # pixels
_LEAST_COMMON = 0.5
_EVERY = 16  # between two words of progress


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        kind: ``files``, ``image``, ``mask``, ``box`` or ``id``.
        name: what it is wrong with: a file, an image, an annotation, an id.
        text: what is wrong, in a line.
    """

    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that is worth knowing and no fault of the copy: how often, and in words.

    ``kind`` is ``texts`` (twice about one object), ``ambiguous`` (about several objects of an image), ``objects`` (of
    several refs) or ``boxes`` (that reach out of their image).
    """

    kind: str
    count: int
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a look over a split found.

    Attributes:
        name: the split.
        counts, expected: what it has, and what the literature has (None where unconfirmed).
        partial: whether these differ.
        deep: whether pixels were decoded and polygons drawn.
        sources: the files read, with their SHA-256.
        images_present, images_absent: image files there and not there; both 0 when images were not looked at.
        formats: how many image files of each format are sound.
        masks: the objects whose masks are sound.
        without_mask: the objects, or expressions, without a target.
        problems: what is wrong, in the order it was found.
        notes: what is worth knowing.
    """

    name: str
    counts: Counts
    expected: Counts
    partial: bool
    deep: bool = False
    sources: tuple[Source, ...] = ()
    images_present: int = 0
    images_absent: int = 0
    formats: dict[str, int] = field(default_factory=dict)
    masks: int = 0
    without_mask: int = 0
    problems: tuple[Problem, ...] = field(default=(), repr=False)
    notes: tuple[Note, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check_split(
    name: str,
    data_root: str | Path | None = None,
    images: bool = True,
    progress: Progress | None = None,
    *,
    deep: bool = False,
) -> Report:
    """Looks over a split.

    Args:
        name: the split.
        data_root: the data root; by default ``$RISBENCH_DATA``, else the user data folder.
        images: whether to look at the image files, too.
        progress: told ``(done, total)`` of images, counted twice: for their files, and for their masks.
        deep: decode every pixel and draw every polygon: milliseconds an image instead of a tenth of one.

    Raises:
        UsageError: no such split. Data that cannot be read are a problem in the report, not an error.
    """
    entry = find(name)
    try:
        split = load_split(name, data_root)
    except DataError as error:
        found = (Problem("files", entry.name, str(error)),)
        return Report(entry.name, UNKNOWN, entry.expected, partial=True, deep=deep, problems=found)
    problems = [
        Problem("id", f"{what} {ident}", f"{path}: {what} id {ident!r:.40} occurs more than once")
        for what, ident, path in doubled_ids(split)
    ]
    rows = np.unique(split.table.ref_image[split.ref_rows])
    formats: Counter[str] = Counter()
    absent = looked = 0
    if images:
        for looked, image in enumerate(look_at_images(split, rows, deep), 1):
            if image.fault is not None:
                problems.append(Problem("image", image.path.name, image.fault))
                absent += image.absent
            else:
                formats[image.format] += 1
            if progress and looked % _EVERY == 0:
                progress(looked, 2 * len(rows))
    targets = split.table.ref_ann[split.ref_rows]
    masks = 0
    empty = int((targets < 0).sum())
    look = _Masks(split, deep)
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
        (*_doubled(split), *look.notes()),
    )


def _doubled(split: Split) -> Iterator[Note]:
    said = Said(split)
    count, about, first = said.twice()
    if count:
        told = f"{count} expressions repeat another about the same object ({about} objects), the first '{first}'"
        yield Note("texts", count, told)
    count, about, first = said.of_several()
    if count:
        told = f"{count} expressions are said of several objects of one image ({about} images), the first '{first}'"
        yield Note("ambiguous", count, told)
    count, first = shared_objects(split)
    if count:
        yield Note("objects", count, f"{count} objects have several refs, the first {first}")


class _Masks:
    """The objects that a split's refs point at, looked at together where that is quick."""

    def __init__(self, split: Split, deep: bool) -> None:
        targets = split.table.ref_ann[split.ref_rows]
        anns, first = np.unique(targets[targets >= 0], return_index=True)
        self.anns = anns[np.argsort(first)]
        self._split, self._deep = split, deep
        table = split.table
        self._sizes = table.image_size[table.ann_image[self.anns]]
        self._extents = extents_of(table.outlines, self.anns)
        self._beyond = beyond(self._extents.sides, self._sizes)
        self._boxes = table.ann_box[self.anns]

    def verdicts(self, problems: list[Problem]) -> Iterator[bool | None]:
        """Of each object: True for a sound mask, None where there is none, False for a broken one, noting why."""
        path = self._split.sources[-1].path
        common = in_common(self._boxes, self._extents.sides)
        fine = (self._extents.broken == 0) & (self._beyond <= TOLERANCE) & (common >= _LEAST_COMMON)
        for place, (ann, is_fine) in enumerate(zip(self.anns.tolist(), fine.tolist(), strict=True)):
            if is_fine and not self._deep:
                yield True
                continue
            name = f"annotation {self._split.table.ann_id[ann]}"
            try:
                around = self._around(place, ann)
            except MaskError as error:
                problems.append(Problem("mask", name, f"{path}: {name}: {error}"))
                yield False
                continue
            if around is None:
                yield None
                continue
            if np.isnan(self._boxes[place, 0]):
                problems.append(Problem("box", name, f"{path}: {name}: has a mask and no box"))
            else:
                share = common[place]
                if not self._extents.has[place]:
                    share = in_common(self._boxes[place : place + 1], np.array([around]))[0]
                if share < _LEAST_COMMON:
                    told = f"its box and the box of its mask have {share:.0%} in common"
                    problems.append(Problem("box", name, f"{path}: {name}: {told}"))
            yield True

    def notes(self) -> Iterator[Note]:
        """Boxes that reach out of their images, which ReferIt's are known to do."""
        far = int((beyond(self._boxes, self._sizes) > TOLERANCE).sum())
        if far:
            yield Note("boxes", far, f"{far} annotated boxes reach out of their image by more than {TOLERANCE:g} pixel")

    def _around(self, place: int, ann: int) -> Box | None:
        """The box round an object's mask; None without one.

        Raises:
            MaskError: the mask is broken, or reaches out of the image.
        """
        height, width = self._sizes[place].tolist()
        if self._extents.broken[place]:
            numbers = max(0, int(self._extents.broken[place]))
            raise MaskError(f"a polygon needs at least three x, y pairs, got {numbers} numbers")
        if self._beyond[place] > TOLERANCE:
            raise MaskError(f"a polygon reaches {self._beyond[place]:.1f} pixels out of its {height}x{width} image")
        quick = bool(self._extents.has[place])
        if quick and not self._deep:
            return Box(*self._extents.sides[place].tolist())
        parts = self._split.table.outlines.parts(ann, (height, width))
        return box_round(parts)
