"""What an audit of a split finds: problems, and notes about what is no fault of the copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


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
    several refs), ``boxes`` (that reach out of their image), ``polygons`` (that draw nothing, or have a number too
    many) or ``exif`` (images that ask to be turned).
    """

    kind: str
    count: int
    text: str
