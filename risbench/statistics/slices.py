"""Slices: kinds of expressions on which two methods may differ although their averages agree.

A slice is a property of expressions, such as length; its values are the parts. The parts of "words" overlap, because an
expression may name a colour and a place; those of other slices do not. Whole words in lower case are matched. The word
lists are short and English, so a part means "the expression uses such a word", not what its author meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from ..datasets.expressions import share_of, words_of
from ..datasets.split import Split
from ..records import Sample

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

Parts = Mapping[str, np.ndarray]


def slices_of(split: Split, samples: Sequence[Sample]) -> dict[str, dict[str, np.ndarray]]:
    """The slices of some samples: ``{slice: {part: bool (samples,)}}``, without empty parts.

    Args:
        split: the samples' split, which knows the other objects of the images.
        samples: in any order.
    """
    found: dict[str, dict[str, np.ndarray]] = {
        "length": _lengths(samples),
        "area": _areas(samples),
        "same-class distractors": _distractors(split, samples),
        "words": _words(samples),
        "category": _categories(samples),
    }
    # Only drawn scenes have tags.
    for key in ("form", "ambiguous"):
        if any(key in sample.tags for sample in samples):
            found[key] = _by_name([str(sample.tags.get(key)) for sample in samples])
    kept = {name: {answer: flags for answer, flags in parts.items() if flags.any()} for name, parts in found.items()}
    return {name: parts for name, parts in kept.items() if parts}


def kinds_of(text: str) -> set[str]:
    """Which of "position", "attribute" and "relation" the words of an expression belong to."""
    words = words_of(text)
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


def _lengths(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    counts = np.array([len(words_of(sample.text)) for sample in samples], dtype=np.int64)
    parts = {"0 words": counts == 0}
    for low, high in _LENGTHS:
        name = f"{low} words or more" if high is None else f"{low} to {high} words"
        parts[name] = (counts >= low) & (counts <= high if high is not None else True)
    return parts


def _areas(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    # The expressions of an object share its mask.
    known: dict[tuple[object, ...], float] = {}
    shares = []
    for sample in samples:
        key = (sample.image_id, sample.ref_id)
        if key not in known:
            known[key] = share_of(sample) if sample.parts else float("nan")
        shares.append(known[key])
    values = np.array(shares)
    parts = {}
    for low, high in zip(_AREAS, [*_AREAS[1:], None], strict=True):
        name = f"{100 * low:g} % of the image or more" if high is None else f"{100 * low:g} to {100 * high:g} %"
        parts[name] = (values >= low) & (values < high if high is not None else True)
    return {**parts, "no true mask": np.isnan(values)}


def _distractors(split: Split, samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    counts: dict[object, Counter[str | None]] = {}
    others = []
    for sample in samples:
        if sample.image_id not in counts:
            counts[sample.image_id] = Counter(item.category for item in split.objects(sample.image_id))
        others.append(-1 if sample.category is None else max(0, counts[sample.image_id][sample.category] - 1))
    values = np.array(others, dtype=np.int64)
    parts = {str(count): values == count for count in range(4)}
    return {**parts, "4 or more": values >= 4, "class unknown": values < 0}


def _words(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    kinds = [kinds_of(sample.text) for sample in samples]
    parts = {kind: np.array([kind in found for found in kinds], dtype=bool) for kind in _KINDS}
    return {**parts, "none of these": np.array([not found for found in kinds], dtype=bool)}


def _categories(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    names = [sample.category if sample.category is not None else "unknown" for sample in samples]
    common = [name for name, _ in Counter(names).most_common(_CATEGORIES)]
    rest = f"the other {len(set(names)) - len(common)}"
    return _by_name([name if name in common else rest for name in names], [*common, rest])


def _by_name(names: Sequence[str], order: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    array = np.array(names, dtype=object)
    return {name: array == name for name in (order or sorted(set(names)))}
