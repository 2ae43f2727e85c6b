"""What TRIS trains on: referred objects, each with its sentences, and the texts it should not mean.

An epoch sees every ref once, with one of its sentences. Which, and which negatives, depends on the seed, the epoch and
the ref alone, so that a training continues where it was and ranks agree without talking.
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
        image: place among the images of :class:`Refs`.
        texts: its sentences, at least one.
        mates: other refs of its image and split, as places among the refs.
    """

    image: int
    texts: tuple[str, ...]
    mates: tuple[int, ...]


class Refs:
    """The refs of a split that have sentences, in the split's order.

    Attributes:
        refs: all of them.
        paths: where their images lie.
        ids: for each ref its id in the annotation.
        places: of each among the refs of the whole split.
    """

    def __init__(self, split: Split, *, stop_at_strangers: bool = True):
        """Read a split.

        Args:
            split: any.
            stop_at_strangers: collect the mates of a ref as the authors do: in file order until the first ref of the
                image that is in another split (which happens in RefCOCOg's Google split alone).
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
            raise DataError(f"{split.name} has no sentences to learn from")
        self.ids = list(grouped)
        mates = _mates(split, {ident: at for at, ident in enumerate(self.ids)}, stop_at_strangers)
        self.refs = [Ref(image, tuple(texts), mates[at]) for at, (image, *texts) in enumerate(grouped.values())]
        self.places = list(range(len(self.refs)))

    def __len__(self) -> int:
        return len(self.refs)

    @cached_property
    def texts(self) -> list[str]:
        """Every distinct sentence, sorted."""
        return sorted({text for ref in self.refs for text in ref.texts})

    def negatives(self, at: int, text: str, count: int, draw: np.random.Generator) -> list[str]:
        """Sentences about something else, with replacement.

        Of the other refs of the image each draw takes one and then one of its sentences; a ref alone in its image
        takes them from the whole split, except the very text, also in other letters: tokens know no case.

        Args:
            at: the ref.
            text: its sentence of this epoch.
            count: how many (the paper's K).
            draw: decides.
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
        """The places of some refs, ascending: all refs of images drawn by the seed, until there are enough.

        Whole images, for what is dear (looking at an image) is done once an image, and telling its objects apart by
        their texts is what is to be learnt.

        Args:
            count: how many; None or too many means all.
            seed: decides.
        """
        if count is None or count >= len(self.refs):
            return np.arange(len(self.refs))
        if count < 1:
            raise UsageError(f"{count} refs are not enough to learn from; give 1 or more, or 'none' for all")
        place = np.random.default_rng(seed).permutation(len(self.paths))
        images = np.array([place[ref.image] for ref in self.refs])
        return np.sort(np.argsort(images, kind="stable")[:count])

    def only(self, places: Sequence[int] | None) -> Refs:
        """These refs alone, without mates; None means all as they are."""
        if places is None:
            return self
        some = copy(self)
        some.places = [self.places[at] for at in places]
        some.ids = [self.ids[at] for at in places]
        some.refs = [replace(self.refs[at], mates=()) for at in places]
        some.__dict__.pop("texts", None)
        return some

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """The refs in the order in which an epoch sees them."""
        return np.random.default_rng((seed, epoch)).permutation(len(self.refs))


def _read_as(text: str) -> str:
    """A text as the tokens have it: without case, and with single spaces."""
    return " ".join(text.lower().split())


def _mates(split: Split, places: dict, stop_at_strangers: bool) -> list[tuple[int, ...]]:
    """For every ref its mates, collected over all refs of the image in the data set, in file order."""
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
