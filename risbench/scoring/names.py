"""Match the names of predictions to the samples of a split.

Which sample a name means is found by `risbench.scoring.finder`. Here each sample gets one prediction at most, and every
prediction a sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..datasets.split import Split
from ..errors import DataError
from ..plain import counted
from ..records import Sample
from .entries import without_zeros
from .finder import NameFinder
from .sources import PredictionSource, Reading

_SHOWN = 3
_PIECE = 1 << 16  # names that are looked up together


class Answered(NamedTuple):
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

    def by_image(self) -> Iterator[list[Answered]]:
        """Each image's samples and their predictions, as `Split.by_image` gives them."""
        for places in self.split.places_by_image():
            yield [self._of(place, entry) for place, entry in zip(places, self.entries[places].tolist(), strict=True)]

    def _of(self, place: int, entry: int) -> Answered:
        sample = self.split[place]
        if entry < 0:
            return Answered(sample, None, None)
        return Answered(sample, self.source.names[entry], self.source.task(entry, sample.image_id))


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
    find = NameFinder(whole)
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


def _refuse_other_objects(source: PredictionSource, found: Mapping[str, str], find: NameFinder, given: Path) -> None:
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
