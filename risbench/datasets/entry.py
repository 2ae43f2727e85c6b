"""One split of the catalog: its name, its files, its expected counts, and its origin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

REFER_ORIGIN = "REFER annotations: links at https://github.com/lichengunc/refer (dead ones are on web.archive.org)"
COCO_ORIGIN = "COCO 2014 train images: http://images.cocodataset.org/zips/train2014.zip"
REFERIT_ORIGIN = "ReferIt pickles: referit_annotations.zip, release v1.0.2 of https://github.com/fawnliu/storage"
SAIAPR_ORIGIN = "ReferIt images: saiapr_tc-12.zip, linked at https://github.com/lichengunc/refer"
DRAWN_ORIGIN = "drawn scenes: nothing to get, they are drawn into the cache at the first use"


class Counts(NamedTuple):
    """The number of images, refs and expressions of a split; None for a count that is not confirmed."""

    images: int | None
    refs: int | None
    expressions: int | None

    def agree(self, other: Counts) -> bool:
        """Whether all counts that both know are equal."""
        return all(a is None or b is None or a == b for a, b in zip(self, other, strict=True))


UNKNOWN = Counts(None, None, None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One split of the catalog.

    Attributes:
        name: the canonical name.
        family: its layout: ``refer``, ``referit`` (two layouts), ``drawn``, or ``own`` (made by a user with ``data
            import``).
        folder: its folder below ``refer/``; for drawn scenes the split's own word.
        refs_file: the pickle of refs in that folder.
        word: the word to find in a ref's ``split``.
        match: ``exact`` (train, val), ``letter`` (testA: an "A" occurs) or ``contains`` (test: "test" occurs).
        role: the purpose of the split: ``train``, ``val`` or ``test``.
        expected: the counts in the literature.
        origin: where to get its annotations, in one line.
        images_origin: where to get its images, in one line.
        pickle: for ReferIt, the file in ``referit/annotations`` that also holds the split.
        least_percent: samples with a box of at most this percentage of the image are left out.
    """

    name: str
    family: Literal["refer", "referit", "drawn", "own"]
    folder: str
    refs_file: str
    word: str
    match: Literal["exact", "letter", "contains"]
    role: Literal["train", "val", "test"]
    expected: Counts = UNKNOWN
    origin: str = REFER_ORIGIN
    images_origin: str = COCO_ORIGIN
    pickle: str | None = None
    least_percent: int = 0

    def takes(self, split: str) -> bool:
        """Whether a ref with this value of ``split`` belongs to the split, by the REFER tool's rule."""
        return split == self.word if self.match == "exact" else self.word in split
