"""Find the samples of a split that a name means.

A name is a sample's ``id``, or its ``sent_id`` if only one expression has that. Names of files may have leading zeros,
folders before them, and accented letters in either of Unicode's two forms.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ..datasets import catalog, own
from ..datasets.annotations.sample_places import SamplePlaces
from ..datasets.split import Split
from ..errors import DataError
from ..plugins import near
from .entries import without_zeros
from .sources import Names

_SHOWN = 3  # names in a message


class NameFinder:
    """Finds the samples of a name in a split."""

    def __init__(self, whole: Split) -> None:
        self._whole, table = whole, whole.table
        # Its own, so that what it looks up in is let go with it.
        self._places = SamplePlaces(whole.name, table.ref_id, table.sent_id, whole.sample_refs, whole.rows)

    def plainly(self, names: Sequence[str]) -> list[int]:
        """The places of names that are the plain number of one sentence, or the id of one sample; -1 for all others.

        Most names are. No text is made of the ids of all samples to find them; `place` does it for the others.
        """
        start = f"{self._whole.name}/"
        lasts = [name.rpartition("/")[2] if name.startswith(start) else name for name in names]
        plain = [last.isdigit() and last.isascii() and len(last) < 19 for last in lasts]
        wanted = np.array([int(last) if is_plain else 0 for last, is_plain in zip(lasts, plain, strict=True)], np.int64)
        found = np.where(np.array(plain, dtype=bool), self._places.of_single_sentences(wanted), -1).tolist()
        # An id must be the sample's own, letter by letter, and so must a number: 025 is looked at more closely.
        return [
            place if place >= 0 and name == (self.ident(place) if name is not last else str(int(last))) else -1
            for name, last, place in zip(names, lasts, found, strict=True)
        ]

    def place(self, name: str, given: Path, in_folders: bool) -> int:
        """The place of the one sample that a name means; -1 if it means none.

        Args:
            name: an id or a sent_id; or the path of a file in a folder.
            given: the file or folder of predictions, for the message.
            in_folders: whether it is a path with folders, which may be named after refs, images or anything else.

        Raises:
            DataError: it means several.
        """
        places = self._meant(name, in_folders)
        if len(places) > 1:
            shown = ", ".join(map(self.ident, places[:_SHOWN])) + (", …" if len(places) > _SHOWN else "")
            raise DataError(
                f"{given}: sent_id {name.rpartition('/')[2]:.80} names {len(places)} expressions: {shown}; "
                "give ids (to files as <ref_id>/<sent_id>, in folders)"
            )
        return places[0] if places else -1

    def ident(self, place: int) -> str:
        """The id of the sample at a place."""
        return self._places.ident(place)

    @cached_property
    def _other_splits(self) -> set[str]:
        return {*catalog.names(), *own.names(self._whole.data_root)} - {self._whole.name}

    @cached_property
    def _composed(self) -> dict[str, str]:
        if self._whole.table.sent_id.numbers is not None:
            return {}
        return {unicodedata.normalize("NFC", name): name for name in self._places.by_sentence if not name.isascii()}

    def _meant(self, name: str, in_folders: bool) -> Sequence[int]:
        """The places of the samples that a name may mean, usually one; see `place`."""
        if (place := self._places.find(name)) is not None:
            return (place,)
        if (found := self._of_sentence(name)) or not in_folders:
            return found
        *folders, last = name.split("/")
        place = self._places.find("/".join([self._whole.name, *folders[-1:], last]))
        found = self._of_sentence(last) if place is None else (place,)
        # A folder with the name of another split holds that split's predictions.
        return () if found and not self._other_splits.isdisjoint(folders) else found

    def _of_sentence(self, name: str) -> Sequence[int]:
        if found := self._places.of_sentence(name):
            return found
        if found := self._places.of_sentence(without_zeros(name)):
            return found
        written = self._composed.get(unicodedata.normalize("NFC", name))
        return () if written is None else self._places.of_sentence(written)

    def about(self) -> dict[str, dict[str, str]]:
        """The image_id and ref_id of each sample, by id."""
        whole, table = self._whole, self._whole.table
        images, refs = table.image_id.listed(whole.sample_images), table.ref_id.listed(whole.sample_refs)
        return {
            ident: {"image_id": without_zeros(str(image)), "ref_id": without_zeros(str(ref))}
            for ident, image, ref in zip(whole.ids, images, refs, strict=True)
        }

    def hint(self, names: Names, unknown: str) -> str:
        """A hint what the names may be, if they are not names of expressions."""
        split, table = self._whole, self._whole.table
        first = unknown.partition("/")[0]
        if unknown.count("/") == 2 and first != split.name:
            return f"these ids are of the split {first:.80}"
        plain = {without_zeros(name) for name in names}
        if plain <= set(map(str, table.ref_id.listed(split.sample_refs))):
            return "the names are ref_ids: each expression about an object needs a prediction, under its sent_id"
        if plain <= set(map(str, table.image_id.listed(split.sample_images))):
            return "the names are image_ids: each expression about an image needs a prediction, under its sent_id"
        if len(names) == len(split) and any(plain == set(map(str, _count(len(split), one))) for one in (0, 1)):
            return "the names count the expressions: give each its sent_id, as the annotations number them"
        guess = near(unknown, self._places.by_sentence)
        return f"is it the right split, and are the names sent_ids?{f' {guess}' if guess.startswith('did') else ''}"


def _count(length: int, start: int) -> np.ndarray:
    return np.arange(start, start + length)
