"""The objects that a split refers to, looked at together: is each outline whole, inside its image, and its box its own?

- A polygon may reach one pixel beyond its image. Corners are continuous, so COCO's polygons touch the border, and tools
  that round or count pixels from 1 reach past it; farther out it is another image's, or of another size.
- A box and its mask, both grown by half a pixel, must have half in common; with less the box is another object's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import MaskError
from ..masks import box_round
from ..records import Box
from .extents import beyond, extents_of, in_common
from .findings import Note, Problem
from .split import Split

TOLERANCE = 1.0  # pixels
_LEAST_COMMON = 0.5


class Objects:
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
