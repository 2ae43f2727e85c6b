"""Check the objects of a split: each outline must be complete, lie inside its image, and fit its box.

- A polygon may exceed its image by one pixel. Corners are continuous, so COCO's polygons touch the border, and tools
  that round or count pixels from 1 exceed it. A polygon that lies farther outside belongs to another image or another
  size.
- A box and its mask, both grown by half a pixel, must have half in common; with less the box is another object's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import MaskError
from ...masks import box_round
from ...records import Box
from ..split import Split
from .extents import beyond, extents_of, in_common
from .findings import Note, Problem

TOLERANCE = 1.0  # pixels
_LEAST_COMMON = 0.5
_SHOWN = 3


class ObjectAudit:
    """The objects that a split's refs refer to; fast checks are done for all of them together."""

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
        """Each object's result: True for a valid mask, None for none, False for a broken one (added to ``problems``).

        A mask that covers no pixel is broken.
        """
        path = self._split.sources[-1].path
        common = in_common(self._boxes, self._extents.sides)
        fine = (self._beyond <= TOLERANCE) & (common >= _LEAST_COMMON)
        for place, (ann, is_fine) in enumerate(zip(self.anns.tolist(), fine.tolist(), strict=True)):
            if is_fine and not self._deep:
                yield True
                continue
            name = f"annotation {self._split.table.ann_id[ann]}"
            if (fault := self._box_fault(place)) is not None:
                problems.append(Problem("box", name, f"{path}: {name}: {fault}"))
            try:
                around = self._around(place, ann)
            except MaskError as error:
                problems.append(Problem("mask", name, f"{path}: {name}: {error}"))
                yield False
                continue
            if around is None and not self._split.table.outlines.raw(ann):
                yield None
                continue
            if around is None:
                fault = "its mask covers no pixel, so every prediction scores 0"
                problems.append(Problem("mask", name, f"{path}: {name}: {fault}"))
                yield False
                continue
            if np.isnan(self._boxes[place, 0]):
                problems.append(Problem("box", name, f"{path}: {name}: has a mask but no box"))
            else:
                share = common[place]
                if not self._extents.has[place]:
                    share = in_common(self._boxes[place : place + 1], np.array([around]))[0]
                if share < _LEAST_COMMON and fault is None:
                    text = f"its box and the box of its mask have {share:.0%} in common"
                    problems.append(Problem("box", name, f"{path}: {name}: {text}"))
            yield True

    def notes(self) -> Iterator[Note]:
        """Notes on boxes that exceed their images, as some of ReferIt's do, and on polygons that cover no pixel."""
        far = int((beyond(self._boxes, self._sizes) > TOLERANCE).sum())
        if far:
            yield Note("boxes", far, f"{far} annotated boxes exceed their image by more than {TOLERANCE:g} pixel")
        odd = np.flatnonzero(self._extents.degenerate)
        if odd.size:
            listed = ", ".join(str(self._split.table.ann_id[ann]) for ann in self.anns[odd[:_SHOWN]].tolist())
            more = ", …" if odd.size > _SHOWN else ""
            text = (
                f"{odd.size} objects have a polygon of fewer than three corners, or of an odd count of numbers; such a "
                "part covers no pixel, or loses its last number, as pycocotools reads it: annotation"
            )
            yield Note("polygons", int(odd.size), f"{text}{'s' if odd.size > 1 else ''} {listed}{more}")

    def _box_fault(self, place: int) -> str | None:
        """The fault of an object's box; None if there is no fault or no box."""
        x0, y0, x1, y1 = self._boxes[place].tolist()
        height, width = self._sizes[place].tolist()
        if x1 < x0 or y1 < y0:
            return "its box has a negative width or height, so no prediction can match it"
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            return f"its box lies outside its {height}x{width} image"
        return None

    def _around(self, place: int, ann: int) -> Box | None:
        """The box round an object's mask; None without a mask.

        Raises:
            MaskError: the mask is broken, or exceeds the image.
        """
        height, width = self._sizes[place].tolist()
        if self._beyond[place] > TOLERANCE:
            raise MaskError(f"a polygon reaches {self._beyond[place]:.1f} pixels beyond its {height}x{width} image")
        quick = bool(self._extents.has[place])
        if quick and not self._deep:
            return Box(*self._extents.sides[place].tolist())
        parts = self._split.table.outlines.parts(ann, (height, width))
        return box_round(parts)
