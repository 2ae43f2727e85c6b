"""Warnings about points, boxes and heats that probably follow another convention.

A point outside its image is a miss, and a heat may have any size, so a single one is not an error. But if most
predictions are like this, the convention is probably wrong: x y w h, fractions of the image, or width before height.
Nothing is changed or refused; the counts are printed with the scores.
"""

from __future__ import annotations

from ..records import Prediction, Sample

_SLACK = 1.0  # pixels by which a box may exceed the image without a warning


class Geometry:
    """Counts over the predictions of a run; add every one that is scored."""

    def __init__(self) -> None:
        self._points = self._points_outside = self._points_below_one = 0
        self._boxes = self._boxes_outside = self._boxes_below_one = 0
        self._heats = self._heats_turned = 0
        self._image_sizes: set[tuple[int, int]] = set()
        self._heat_sizes: set[tuple[int, ...]] = set()

    def add(self, sample: Sample, prediction: Prediction) -> None:
        """Count one checked prediction."""
        height, width = sample.size
        if prediction.point is not None:
            x, y = prediction.point
            self._points += 1
            self._points_outside += not (0 <= x <= width and 0 <= y <= height)
            self._points_below_one += 0 <= x <= 1 and 0 <= y <= 1
        if prediction.boxes is not None and len(prediction.boxes):
            x0, y0, x1, y1 = prediction.boxes[0].tolist()
            self._boxes += 1
            inside = min(x0, y0) >= -_SLACK and x1 <= width + _SLACK and y1 <= height + _SLACK
            self._boxes_outside += not inside
            self._boxes_below_one += min(x0, y0) >= 0 and max(x1, y1) <= 1
        if prediction.heat is not None and height != width:
            self._heats += 1
            self._heats_turned += prediction.heat.shape == (width, height)
            self._image_sizes.add((height, width))
            self._heat_sizes.add(prediction.heat.shape)

    def merge(self, other: Geometry) -> None:
        """Add the counts of other predictions."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            setattr(self, name, mine | value if isinstance(value, set) else mine + value)

    def cautions(self) -> list[str]:
        """The warnings, one sentence each; empty if there are none."""
        found = []
        if 2 * self._points_below_one > self._points > 1:
            found.append(
                f"{self._points_below_one} of {self._points} points lie in the image's first pixel: a point is (x, y) "
                "in pixels, not in fractions of the image"
            )
        if self._points_outside:
            found.append(
                f"{self._points_outside} of {self._points} points lie outside their image and count as misses: a point "
                "is (x, y) in pixels of the image"
            )
        if 2 * self._boxes_below_one > self._boxes > 1:
            found.append(
                f"{self._boxes_below_one} of {self._boxes} boxes lie in the image's first pixel: a box is x0 y0 x1 y1 "
                "in pixels, not in fractions of the image"
            )
        if 2 * self._boxes_outside > self._boxes:
            found.append(
                f"{self._boxes_outside} of {self._boxes} boxes leave their image: a box is x0 y0 x1 y1; are they "
                "x y w h, or of another size of the image?"
            )
        # If all heats have one size, some images have that size with swapped axes by chance.
        is_one_size = len(self._heat_sizes) == 1 and len(self._image_sizes) > 1
        if 2 * self._heats_turned > self._heats and not is_one_size:
            found.append(
                f"{self._heats_turned} of {self._heats} heats have exactly the size (width, height) of their image, "
                "and were scored as they are: a heat is (height, width); if its axes are swapped, save heat.T"
            )
        return found
