"""Match the names of predictions to the samples of a split.

A name is a sample's ``id``, or its ``sent_id`` if only one expression has that. Names of files may have leading zeros,
folders before them, and accented letters in either of Unicode's two forms.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets import catalog, own
from ..datasets.split import Split
from ..errors import DataError
from ..plain import counted
from ..plugins import near
from ..records import Prediction, Sample
from .entries import without_zeros
from .sources import PredictionSource, Reading

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Matched:
    """Predictions that were brought, each known to be of one sample.

    Attributes:
        source: the predictions.
        names: the name under which each sample's prediction was brought, by sample id.
    """

    source: PredictionSource
    names: Mapping[str, str]

    def task(self, sample: Sample) -> Reading | None:
        """What reads the prediction of a sample; None if it has none."""
        name = self.names.get(sample.id)
        return None if name is None else self.source.task(name, sample.image_id)

    def of(self, sample: Sample) -> Prediction | None:
        """The prediction of a sample; None if it has none."""
        task = self.task(sample)
        return None if task is None else task()


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
    find = _Finder(split)
    found: dict[str, str] = {}
    unknown: list[str] = []
    for name in source.names:
        ids = find.ids(name, in_folders="folder" in source.beside.get(name, ()))
        if len(ids) > 1:
            shown = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
            raise DataError(
                f"{given}: sent_id {name.rpartition('/')[2]:.80} names {len(ids)} expressions: {shown}; "
                "give ids (to files as <ref_id>/<sent_id>, in folders)"
            )
        if not ids:
            unknown.append(name)
        elif ids[0] in found:
            ways = sorted(_way(one, ids[0]) for one in (found[ids[0]], name))
            raise DataError(f"{given}: two predictions for {ids[0]}: by {' and by '.join(ways)}")
        else:
            found[ids[0]] = name
    if unknown:
        raise DataError(
            f"{given}: predictions for expressions that {split.name} does not have: {some(unknown)}; "
            f"{find.hint(source.names, unknown[0])}"
        )
    # Predictions for expressions that `--truth-only` leaves out are ignored.
    found = {ident: found[ident] for ident in split.ids if ident in found}
    if len(found) < len(split) and not allow_missing:
        absent = [ident for ident in split.ids if ident not in found]
        raise DataError(
            f"{given}: no prediction for {some(absent)} of {counted(len(split), 'expression')}; "
            "--allow-missing counts them as empty masks"
        )
    _refuse_other_objects(source, found, find, given)
    return Matched(source, found)


def some(names: Sequence[str]) -> str:
    """The number of names, and the first of them."""
    shown = ", ".join(name[:80] for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{len(names)} ({shown})"


def _way(name: str, ident: str) -> str:
    return "id" if name == ident else f"sent_id {name:.80}"


class _Finder:
    """Finds the samples of a name in the whole split.

    The whole split is searched even if a part is scored, so that a name of two samples is always noticed.
    """

    def __init__(self, split: Split) -> None:
        self._whole = whole = split if split.truth is None else split.truth.whole
        self._ids = frozenset(whole.ids)
        self._sentences: dict[str, list[str]] = {}
        for ident, sentence in zip(whole.ids, whole.table.sent_id.listed(whole.rows), strict=True):
            self._sentences.setdefault(str(sentence), []).append(ident)
        self._other_splits = {*catalog.names(), *own.names(whole.data_root)} - {whole.name}
        self._composed = {unicodedata.normalize("NFC", name): name for name in self._sentences if not name.isascii()}

    def ids(self, name: str, in_folders: bool) -> Sequence[str]:
        """The ids of the samples that a name may mean, usually one.

        Args:
            name: an id or a sent_id; or the path of a file in a folder.
            in_folders: whether it is a path with folders, which may be named after refs, images or anything else.
        """
        if name in self._ids:
            return (name,)
        if (found := self._of_sentence(name)) or not in_folders:
            return found
        *folders, last = name.split("/")
        if (ident := "/".join([self._whole.name, *folders[-1:], last])) in self._ids:
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

    def hint(self, names: Collection[str], unknown: str) -> str:
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
