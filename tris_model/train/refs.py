"""The training data of TRIS: referred objects, each with its sentences, and negative texts.

An epoch uses every ref once, with one of its sentences. The sentence and the negatives depend only on the seed, the
epoch and the ref. So a training can continue, and ranks agree without communication.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from risbench.datasets.split import Split
from risbench.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class Ref:
    """An object that sentences refer to.

    Attributes:
        image: index among the images of :class:`Refs`.
        texts: its sentences, at least one.
        mates: indices of the other refs of its image and split.
    """

    image: int
    texts: tuple[str, ...]
    mates: tuple[int, ...]


class Refs:
    """The refs of a split that have sentences, in the split's order.

    Attributes:
        refs: all of them.
        paths: the files of their images.
        ids: the annotation's id of each ref.
        places: the index of each among the refs of the whole split.
    """

    def __init__(self, split: Split, *, stop_at_strangers: bool = True):
        """Read a split.

        Args:
            split: the split.
            stop_at_strangers: collect the mates of a ref as the authors do: in file order, until the first ref of the
                image that is in another split (this happens only in RefCOCOg's Google split).
        """
        grouped: dict[object, list] = {}
        images: dict[object, int] = {}
        self.paths = []
        for sample in split:
            if sample.image_id not in images:
                images[sample.image_id] = len(images)
                self.paths.append(sample.image_path)
            grouped.setdefault(sample.ref_id, [images[sample.image_id]]).append(sample.text)
        if not grouped:
            raise DataError(f"{split.name} has no sentences to train on")
        self.ids = list(grouped)
        mates = _mates(split, {ident: at for at, ident in enumerate(self.ids)}, stop_at_strangers)
        self.refs = [Ref(image, tuple(texts), mates[at]) for at, (image, *texts) in enumerate(grouped.values())]
        self.places = list(range(len(self.refs)))

    def __len__(self) -> int:
        return len(self.refs)

    @cached_property
    def texts(self) -> list[str]:
        """All distinct sentences, sorted."""
        return sorted({text for ref in self.refs for text in ref.texts})

    def negatives(self, at: int, text: str, count: int, draw: np.random.Generator) -> list[str]:
        """Draw sentences about other objects, with replacement.

        Each draw takes one of the image's other refs and then one of its sentences. If a ref is alone in its image, the
        sentences come from the whole split, without the text itself; upper and lower case count as equal, as in tokens.

        Args:
            at: index of the ref.
            text: its sentence of this epoch.
            count: number of negatives (the paper's K).
            draw: the random generator.
        """
        mates, own = self.refs[at].mates, _read_as(text)
        found: list[str] = []
        attempts = 0
        while len(found) < count:
            other = self.refs[mates[draw.integers(len(mates))] if mates else draw.integers(len(self.refs))]
            candidate = other.texts[draw.integers(len(other.texts))]
            attempts += 1
            if mates or _read_as(candidate) != own:
                found.append(candidate)
            elif attempts > 1000 * count:
                raise DataError(f"the split has no other text than {text!r}, so there are no negatives")
        return found

    def some(self, count: int | None, seed: int) -> np.ndarray:
        """The ascending indices of some refs: all refs of images drawn by the seed, until there are enough.

        Images are used with all their refs, because encoding an image is expensive and is done once per image, and
        because the network should learn to distinguish an image's objects by their texts.

        Args:
            count: number of refs; None, or more than there are, means all.
            seed: decides which images are used.
        """
        if count is None or count >= len(self.refs):
            return np.arange(len(self.refs))
        if count < 1:
            raise UsageError(f"{count} refs are not enough to train on; give 1 or more, or 'none' for all")
        place = np.random.default_rng(seed).permutation(len(self.paths))
        images = np.array([place[ref.image] for ref in self.refs])
        return np.sort(np.argsort(images, kind="stable")[:count])

    def only(self, places: Sequence[int] | None) -> Refs:
        """Only the refs of these indices, without mates; None means all refs, unchanged."""
        if places is None:
            return self
        some = copy(self)
        some.places = [self.places[at] for at in places]
        some.ids = [self.ids[at] for at in places]
        some.refs = [replace(self.refs[at], mates=()) for at in places]
        some.__dict__.pop("texts", None)
        return some

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """The indices of the refs in the order of an epoch."""
        return np.random.default_rng((seed, epoch)).permutation(len(self.refs))


def _read_as(text: str) -> str:
    """A text in lower case with single spaces, as the tokenizer reads it."""
    return " ".join(text.lower().split())


def _mates(split: Split, places: dict, stop_at_strangers: bool) -> list[tuple[int, ...]]:
    """The mates of every ref, collected over all refs of the image in the data set, in file order."""
    table = split.table
    of_image: dict[int, list] = {}
    wanted = set(table.ref_image[split.ref_rows].tolist())
    for row, image in enumerate(table.ref_image.tolist()):
        if image in wanted:
            of_image.setdefault(image, []).append(table.ref_id[row])
    found: list[tuple[int, ...]] = [()] * len(places)
    for idents in of_image.values():
        for ident in idents:
            if ident not in places:
                continue
            mates = []
            for other in idents:
                if other not in places:
                    if stop_at_strangers:
                        break
                elif other != ident:
                    mates.append(places[other])
            found[places[ident]] = tuple(dict.fromkeys(mates))
    return found
