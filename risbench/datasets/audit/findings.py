"""The findings of an audit of a split: problems, and notes about properties that are not faults of the copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Problem(NamedTuple):
    """One fault.

    Attributes:
        kind: ``files``, ``image``, ``mask``, ``box`` or ``id``.
        name: the faulty file, image, annotation or id.
        text: the fault, in one line.
    """

    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A property that is not a fault of the copy: its count, and a text.

    ``kind`` is ``texts`` (repeated for one object), ``ambiguous`` (a text for several objects of an image), ``objects``
    (with several refs), ``boxes`` (that exceed their image), ``polygons`` (that cover no pixel, or have one number too
    many) or ``exif`` (images with an EXIF rotation).
    """

    kind: str
    count: int
    text: str
