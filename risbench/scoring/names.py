"""Match the names of predictions to the samples of a split.

A name is a sample's ``id``, or its ``sent_id`` if only one expression has that. Names of files may have leading zeros,
folders before them, and accented letters in either of Unicode's two forms.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..datasets import catalog, own
from ..datasets.split import Split
from ..errors import DataError
from ..plain import counted
from ..plugins import near
from ..records import Sample
from .entries import without_zeros
from .sources import Names, PredictionSource, Reading

_SHOWN = 3
_PIECE = 1 << 16  # names that are looked up together


class Brought(NamedTuple):
    """A sample and the prediction that was brought for it.

    Attributes:
        sample: the sample.
        name: the name of its prediction; None if it has none.
        reading: what reads it; None if it has none.
    """

    sample: Sample
    name: str | None
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class Matched:
    """Predictions that were brought, each known to be of one sample.

    Attributes:
        source: the predictions.
        split: the split that they are of.
        entries: the place in the source of each sample's prediction, -1 for none: int64 ``(len(split),)``.
    """

    source: PredictionSource
    split: Split
    entries: np.ndarray

    def by_image(self) -> Iterator[list[Brought]]:
        """Each image's samples and their predictions, as `Split.by_image` gives them."""
        for places in self.split.places_by_image():
            yield [self._of(place, entry) for place, entry in zip(places, self.entries[places].tolist(), strict=True)]

    def _of(self, place: int, entry: int) -> Brought:
        sample = self.split[place]
        if entry < 0:
            return Brought(sample, None, None)
        return Brought(sample, self.source.names[entry], self.source.task(entry, sample.image_id))


def match(source: PredictionSource, split: Split, given: Path, allow_missing: bool) -> Matched:
    """Predictions matched to the samples of a split.

    Args:
        source: the predictions.
        split: the split that they are of.
        given: the file or folder, for error messages.
        allow_missing: whether samples may lack a prediction.

    Raises:
        DataError: a name fits no expression or several, two names fit one expression, or a sample has no prediction.
    """
    # The whole split is searched even if a part is scored, so that a name of two samples is always noticed.
    whole = split if split.truth is None else split.truth.whole
    find = _Finder(whole)
    entries = np.full(len(whole), -1, dtype=np.int64)
    unknown: list[str] = []
    names = iter(source.names)
    entry = 0
    while piece := list(islice(names, _PIECE)):
        for name, place in zip(piece, find.plainly(piece), strict=True):
            if place < 0:
                place = find.place(name, given, in_folders="folder" in source.beside.get(name, ()))
            if place < 0:
                unknown.append(name)
            elif entries[place] >= 0:
                ident = find.ident(place)
                ways = sorted(_way(one, ident) for one in (source.names[int(entries[place])], name))
                raise DataError(f"{given}: two predictions for {ident}: by {' and by '.join(ways)}")
            else:
                entries[place] = entry
            entry += 1
    if unknown:
        raise DataError(
            f"{given}: predictions for expressions that {split.name} does not have: {some(unknown)}; "
            f"{find.hint(source.names, unknown[0])}"
        )
    if split is not whole:
        # Predictions for expressions that `--truth-only` leaves out are ignored.
        order = np.argsort(whole.rows, kind="stable")
        entries = entries[order[np.searchsorted(whole.rows, split.rows, sorter=order)]]
    absent = np.flatnonzero(entries < 0)
    if absent.size and not allow_missing:
        shown = [split[place].id for place in absent[: _SHOWN + 1].tolist()]
        raise DataError(
            f"{given}: no prediction for {some(shown, absent.size)} of {counted(len(split), 'expression')}; "
            "--allow-missing counts them as empty masks"
        )
    if source.beside:
        found = {ident: source.names[at] for ident, at in zip(split.ids, entries.tolist(), strict=True) if at >= 0}
        _refuse_other_objects(source, found, find, given)
    return Matched(source, split, entries)


def some(names: Sequence[str], count: int | None = None) -> str:
    """The number of names, ``count`` if they are only the first of so many, and the first of them."""
    shown = ", ".join(name[:80] for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{len(names) if count is None else count} ({shown})"


def _way(name: str, ident: str) -> str:
    return "id" if name == ident else f"sent_id {name:.80}"


class _Finder:
    """Finds the samples of a name in a split."""

    def __init__(self, whole: Split) -> None:
        self._whole = whole
        numbers = whole.table.sent_id.numbers
        self._numbers = None if numbers is None else numbers[whole.rows]
        self._order = None if self._numbers is None else np.argsort(self._numbers, kind="stable")

    def plainly(self, names: Sequence[str]) -> list[int]:
        """The places of names that are the plain number of one sentence, or the id of one sample; -1 for all others.

        Most names are. No text is made of the ids of all samples to find them; `place` does it for the others.
        """
        if self._numbers is None or self._order is None:
            return [-1] * len(names)
        start = f"{self._whole.name}/"
        lasts = [name.rpartition("/")[2] if name.startswith(start) else name for name in names]
        plain = [last.isdigit() and last.isascii() and len(last) < 19 for last in lasts]
        wanted = np.array([int(last) if is_plain else 0 for last, is_plain in zip(lasts, plain, strict=True)], np.int64)
        first = np.searchsorted(self._numbers, wanted, "left", sorter=self._order)
        after = np.searchsorted(self._numbers, wanted, "right", sorter=self._order)
        places = self._order[np.minimum(first, len(self._order) - 1)] if len(self._order) else first
        found = np.where(np.array(plain, dtype=bool) & (after == first + 1), places, -1).tolist()
        # An id must be the sample's own, letter by letter, and so must a number: 025 is looked at more closely.
        return [
            place if place >= 0 and name == (self.ident(place) if name is not last else str(int(last))) else -1
            for name, last, place in zip(names, lasts, found, strict=True)
        ]

    def place(self, name: str, given: Path, in_folders: bool) -> int:
        """The place of the one sample that a name means; -1 if it means none.

        Raises:
            DataError: it means several.
        """
        ids = self.ids(name, in_folders)
        if len(ids) > 1:
            shown = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
            raise DataError(
                f"{given}: sent_id {name.rpartition('/')[2]:.80} names {len(ids)} expressions: {shown}; "
                "give ids (to files as <ref_id>/<sent_id>, in folders)"
            )
        return self._places[ids[0]] if ids else -1

    def ident(self, place: int) -> str:
        """The id of the sample at a place."""
        table, whole = self._whole.table, self._whole
        return f"{whole.name}/{table.ref_id[int(whole.sample_refs[place])]}/{table.sent_id[int(whole.rows[place])]}"

    @cached_property
    def _places(self) -> dict[str, int]:
        return {ident: place for place, ident in enumerate(self._whole.ids)}

    @cached_property
    def _sentences(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        whole = self._whole
        for ident, sentence in zip(whole.ids, whole.table.sent_id.listed(whole.rows), strict=True):
            found.setdefault(str(sentence), []).append(ident)
        return found

    @cached_property
    def _other_splits(self) -> set[str]:
        return {*catalog.names(), *own.names(self._whole.data_root)} - {self._whole.name}

    @cached_property
    def _composed(self) -> dict[str, str]:
        return {unicodedata.normalize("NFC", name): name for name in self._sentences if not name.isascii()}

    def ids(self, name: str, in_folders: bool) -> Sequence[str]:
        """The ids of the samples that a name may mean, usually one.

        Args:
            name: an id or a sent_id; or the path of a file in a folder.
            in_folders: whether it is a path with folders, which may be named after refs, images or anything else.
        """
        if name in self._places:
            return (name,)
        if (found := self._of_sentence(name)) or not in_folders:
            return found
        *folders, last = name.split("/")
        if (ident := "/".join([self._whole.name, *folders[-1:], last])) in self._places:
            found = (ident,)
        else:
            found = self._of_sentence(last)
        # A folder with the name of another split holds that split's predictions.
        return () if found and not self._other_splits.isdisjoint(folders) else found

    def _of_sentence(self, name: str) -> Sequence[str]:
        if name in self._sentences:
            return self._sentences[name]
        if (short := without_zeros(name)) in self._sentences:
            return self._sentences[short]
        return self._sentences.get(self._composed.get(unicodedata.normalize("NFC", name), ""), ())

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
        guess = near(unknown, self._sentences)
        return f"is it the right split, and are the names sent_ids?{f' {guess}' if guess.startswith('did') else ''}"


def _count(length: int, start: int) -> np.ndarray:
    return np.arange(start, start + length)


def _refuse_other_objects(source: PredictionSource, found: Mapping[str, str], find: _Finder, given: Path) -> None:
    """Refuse entries whose image_id or ref_id is not that of the expression they name.

    Other people may number images differently, so this is checked only if most entries have ids of the split.
    """
    if not source.beside:
        return
    about = find.about()
    for key in ("image_id", "ref_id"):
        claims = _claims(source, found, key)
        known = {values[key] for values in about.values()}
        ours = {ident: value for ident, value in claims.items() if value in known}
        odd = [ident for ident, value in ours.items() if value != about[ident][key]]
        if odd and 2 * len(ours) >= len(claims):
            count = counted(len(odd), "entry disagrees with itself", "entries disagree with themselves")
            raise DataError(
                f"{given}: {_way(found[odd[0]], odd[0])} is of {key} {about[odd[0]][key]}, its entry says {key} "
                f"{claims[odd[0]]:.80}: {count}"
            )
    claims = _claims(source, found, "folder")
    odd = [ident for ident, folder in claims.items() if folder != about[ident]["image_id"]]
    if odd and 2 * len(odd) < len(claims):
        raise DataError(
            f"{given}: {found[odd[0]]:.200} lies in a folder of another image than its own, {about[odd[0]]['image_id']}"
        )
    _refuse_other_numbers(source, given)


def _claims(source: PredictionSource, found: Mapping[str, str], key: str) -> dict[str, str]:
    beside = ((ident, source.beside.get(name, {})) for ident, name in found.items())
    return {ident: without_zeros(claims[key]) for ident, claims in beside if key in claims}


def _refuse_other_numbers(source: PredictionSource, given: Path) -> None:
    """Refuse entries whose number under ``id`` differs from their sent_id, if in most entries the two are equal.

    Numbers that only count the entries, as in COCO, are ignored.
    """
    numbers = [(name, beside["number"]) for name, beside in source.beside.items() if "number" in beside]
    if not numbers:
        return
    start = int(numbers[0][1]) if numbers[0][1].lstrip("-").isdigit() else 0
    counted = all(number == str(start + place) for place, (_, number) in enumerate(numbers))
    odd = [(name, number) for name, number in numbers if without_zeros(name) != number]
    if odd and not counted and 2 * len(odd) <= len(numbers):
        name, number = odd[0]
        raise DataError(f"{given}: two names that disagree: id {number:.80} and sent_id {name:.80}: keep one")
