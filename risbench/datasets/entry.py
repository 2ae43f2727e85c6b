"""One split of the catalog: what it is called, where its files lie, what it should count, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

REFER_ORIGIN = "REFER annotations: links at https://github.com/lichengunc/refer (dead ones are kept by web.archive.org)"
COCO_ORIGIN = "COCO 2014 train images: http://images.cocodataset.org/zips/train2014.zip"
REFERIT_ORIGIN = "ReferIt pickles: referit_annotations.zip, release v1.0.2 of https://github.com/fawnliu/storage"
SAIAPR_ORIGIN = "ReferIt images: saiapr_tc-12.zip, linked at https://github.com/lichengunc/refer"
DRAWN_ORIGIN = "drawn scenes: nothing to get, they are drawn into the cache when first read"


class Counts(NamedTuple):
    """How many images, refs and expressions a split has; None is a count that nobody confirmed."""

    images: int | None
    refs: int | None
    expressions: int | None

    def agree(self, other: Counts) -> bool:
        """Whether no count differs, where both are known."""
        return all(a is None or b is None or a == b for a, b in zip(self, other, strict=True))


UNKNOWN = Counts(None, None, None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One split of the catalog.

    Attributes:
        name: the canonical name.
        family: how it is laid out: ``refer``, ``referit`` (two layouts), ``drawn``, or ``own`` (a split that a user
            made with ``data import``).
        folder: its folder below ``refer/``; for drawn scenes the split's own word.
        refs_file: the pickle of refs in that folder.
        word: what is looked for in a ref's ``split``.
        match: ``exact`` (train, val), ``letter`` (testA: an "A" occurs) or ``contains`` (test: "test" occurs).
        role: what the split is for: ``train``, ``val`` or ``test``.
        expected: the counts of the literature.
        origin: where its annotations come from, in a line.
        images_origin: where its images come from, in a line.
        pickle: for ReferIt, the file in ``referit/annotations`` that holds the split too.
        least_percent: samples whose box is not larger than this percentage of the image are left out.
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
        """Whether a ref whose ``split`` reads so belongs here; as the REFER tool decides it."""
        return split == self.word if self.match == "exact" else self.word in split
