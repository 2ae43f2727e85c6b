"""Slices: kinds of expressions on which two methods may differ although their averages agree.

A slice is a property of expressions, such as length; its values are the parts. The parts of "words" overlap, because an
expression may name a colour and a place; those of other slices do not. Whole words in lower case are matched. The word
lists are short and English, so a part means "the expression uses such a word", not what its author meant.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from ..datasets.annotations.sampleids import SampleIds
from ..datasets.expressions import words_of
from ..datasets.split import Split
from ..records import Sample
from .objects import shares_of_objects

_POSITION = (
    "left right top bottom upper lower middle center centre corner side front back foreground background first second "
    "third fourth last leftmost rightmost topmost highest lowest far farthest furthest end edge nearest closest"
)
_ATTRIBUTE = (
    "red orange yellow green cyan blue purple pink white black brown gray grey tan beige blond blonde dark light "
    "bright small smaller smallest large larger largest big bigger biggest little tiny huge tall taller tallest "
    "short shorter shortest long longer old young plain striped stripes dotted checked checkered plaid spotted solid "
    "wooden metal glass plastic empty full open closed round square"
)
_RELATION = (
    "above below over under beneath behind beside between near next nearest closest closer facing against around "
    "holding wearing riding carrying sitting standing with touching covering hidden"
)
_PHRASES = ("in front of", "to the left of", "to the right of", "left of", "right of", "on top of", "away from")
_LENGTHS = ((1, 2), (3, 4), (5, 7), (8, 11), (12, None))
_AREAS = (0.0, 0.02, 0.05, 0.10, 0.20, 0.40)  # shares of the image
_CATEGORIES = 12
_PIECE = 1 << 16  # samples handled together

Parts = Mapping[str, np.ndarray]


def slices_of(split: Split, samples: Sequence[Sample] | np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """The slices of some samples: ``{slice: {part: bool (samples,)}}``, without empty parts.

    Everything is read from the split's columns; of each referred object the mask is drawn once, for its area.

    Args:
        split: the samples' split, which knows the other objects of the images.
        samples: some of its samples in any order, or their places in it, int64.

    Raises:
        UsageError: a sample is not in the split.
        DataError: an object's annotation cannot be drawn.
    """
    places = samples if isinstance(samples, np.ndarray) else places_of(split, SampleIds.of(one.id for one in samples))
    counts, kinds = _of_texts(split, places)
    found: dict[str, dict[str, np.ndarray]] = {
        "length": _lengths(counts),
        "area": _areas(split, places),
        "same-class distractors": _distractors(split, places),
        "words": _words(kinds),
        "category": _categories(split, places),
        **_tags(split, places),
    }
    kept = {name: {answer: flags for answer, flags in parts.items() if flags.any()} for name, parts in found.items()}
    return {name: parts for name, parts in kept.items() if parts}


def places_of(split: Split, ids: SampleIds) -> np.ndarray:
    """The places of some samples in a split, int64 ``(n,)``.

    Raises:
        UsageError: the split has no sample with one of the ids.
    """
    places = ids.places_in(SampleIds.of(split.each_id()))
    if (places < 0).any():
        split.sample(ids[int(np.argmax(places < 0))])  # refuses it
    return places


def kinds_of(text: str) -> set[str]:
    """Which of "position", "attribute" and "relation" the words of an expression belong to."""
    return _kinds_in(words_of(text))


def _kinds_in(words: list[str]) -> set[str]:
    joined = f" {' '.join(words)} "
    kinds = {kind for kind, known in _KINDS.items() if not known.isdisjoint(words)}
    return kinds | ({"relation"} if any(f" {phrase} " in joined for phrase in _PHRASES) else set())


_KINDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "position": frozenset(_POSITION.split()),
        "attribute": frozenset(_ATTRIBUTE.split()),
        "relation": frozenset(_RELATION.split()),
    }
)


def _of_texts(split: Split, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of words of each expression, int64 ``(n,)``, and which kinds it has, bool ``(n, kinds)``."""
    counts, kinds = np.empty(len(places), np.int64), np.empty((len(places), len(_KINDS)), bool)
    known: dict[str, tuple[int, tuple[bool, ...]]] = {}  # expressions are repeated
    for first in range(0, len(places), _PIECE):
        texts = split.table.sent_text.listed(split.rows[places[first : first + _PIECE]])
        if len(known) > _PIECE:
            known.clear()
        for text in texts:
            if text not in known:
                words = words_of(text)
                mine = _kinds_in(words)
                known[text] = len(words), tuple(kind in mine for kind in _KINDS)
        counts[first : first + _PIECE] = [known[text][0] for text in texts]
        kinds[first : first + _PIECE] = [known[text][1] for text in texts]
    return counts, kinds


def _lengths(counts: np.ndarray) -> dict[str, np.ndarray]:
    parts: dict[str, np.ndarray] = {"0 words": counts == 0}
    for low, high in _LENGTHS:
        name = f"{low} words or more" if high is None else f"{low} to {high} words"
        parts[name] = (counts >= low) & (counts <= high if high is not None else True)
    return parts


def _areas(split: Split, places: np.ndarray) -> dict[str, np.ndarray]:
    # The expressions of an object share its mask.
    anns, object_of = np.unique(split.sample_anns[places], return_inverse=True)
    values = shares_of_objects(split, anns)[object_of]
    parts: dict[str, np.ndarray] = {}
    for low, high in zip(_AREAS, [*_AREAS[1:], None], strict=True):
        name = f"{100 * low:g} % of the image or more" if high is None else f"{100 * low:g} to {100 * high:g} %"
        parts[name] = (values >= low) & (values < high if high is not None else True)
    return {**parts, "no true mask": np.isnan(values)}


def _distractors(split: Split, places: np.ndarray) -> dict[str, np.ndarray]:
    table = split.table
    anns = split.sample_anns[places]
    categories = np.append(table.ann_category.code, -1)[anns].astype(np.int64)
    # One number for each class in each image.
    classes = len(table.ann_category.texts) + 1
    kinds = np.sort(table.ann_image.astype(np.int64) * classes + table.ann_category.code)
    wanted = split.sample_images[places].astype(np.int64) * classes + categories
    count = np.searchsorted(kinds, wanted, side="right") - np.searchsorted(kinds, wanted, side="left")
    values = np.where(categories < 0, -1, np.maximum(0, count - 1))
    parts: dict[str, np.ndarray] = {str(count): values == count for count in range(4)}
    return {**parts, "4 or more": np.asarray(values >= 4), "class unknown": np.asarray(values < 0)}


def _words(kinds: np.ndarray) -> dict[str, np.ndarray]:
    parts: dict[str, np.ndarray] = {kind: np.ascontiguousarray(kinds[:, place]) for place, kind in enumerate(_KINDS)}
    return {**parts, "none of these": np.logical_not(kinds.any(axis=1))}


def _categories(split: Split, places: np.ndarray) -> dict[str, np.ndarray]:
    column = split.table.ann_category
    codes, first, which, counts = np.unique(
        np.append(column.code, -1)[split.sample_anns[places]],
        return_index=True, return_inverse=True, return_counts=True,
    )  # fmt: skip
    totals: dict[str, int] = {}
    # In the order of their first samples, in which classes with equal counts stay.
    names = ["unknown" if code < 0 else column.texts[code] for code in codes.tolist()]
    for place in np.argsort(first).tolist():
        totals[names[place]] = totals.get(names[place], 0) + int(counts[place])
    common = [name for name, _ in Counter(totals).most_common(_CATEGORIES)]
    rest = f"the other {len(totals) - len(common)}"
    return _by_name([name if name in common else rest for name in names], which, [*common, rest])


def _tags(split: Split, places: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """The slices by tag, which only drawn scenes have."""
    column = split.table.sent_tags
    codes, which = np.unique(column.code[split.rows[places]], return_inverse=True)
    tags = [{} if code < 0 else json.loads(column.texts[code]) for code in codes.tolist()]
    found = {}
    for key in ("form", "ambiguous"):
        if any(key in each for each in tags):
            names = [str(each.get(key)) for each in tags]
            found[key] = _by_name(names, which, sorted(set(names)))
    return found


def _by_name(names: Sequence[str], which: np.ndarray, order: Sequence[str]) -> dict[str, np.ndarray]:
    """The samples of each name: ``names`` are those of some groups, ``which`` has each sample's group."""
    return {name: np.array([one == name for one in names], dtype=bool)[which] for name in order}
