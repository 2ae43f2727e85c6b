"""Choose samples of a split: the first ones, those whose text has a word, those with some ids.

A chosen part is a `Split` that remembers the whole, so that a run of it records which copy it is a part of and which
samples were chosen.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, UsageError
from ..plain import counted, in_html, plain

if TYPE_CHECKING:
    from .split import Split

_SHOWN = 5  # expressions in the table of a split


@dataclass(frozen=True, eq=False)
class Selection:
    """Which samples of a split were chosen.

    Attributes:
        text: the choice in words, such as ``[:10]``; equal texts of one copy of a split are equal choices.
        whole: the split before the choice.
    """

    text: str
    whole: Split


def sliced(split: Split, part: slice) -> Split:
    """The samples of a slice; partial, unless these are all samples.

    Raises:
        UsageError: the slice would turn the order round, which a split keeps.
        TypeError: a bound of the slice is not a whole number.
    """
    first, stop, step = part.indices(len(split))
    if step < 0:
        raise UsageError(f"a split keeps its order, so the step of a slice must be 1 or more, not {step}")
    bounds = ["" if bound is None else str(bound) for bound in (part.start, part.stop)]
    text = f"[{':'.join(bounds)}{'' if step == 1 else f':{step}'}]"
    return _taken(split, np.arange(first, stop, step), text)


def containing(split: Split, text: str) -> Split:
    """The samples whose expression contains a text, in upper or lower case; spaces count once.

    Raises:
        UsageError: the text is empty.
    """
    wanted = _folded(text)
    if not wanted:
        raise UsageError("the text to find is empty: give a word or a part of an expression")
    texts = split.table.sent_text
    places = [at for at, row in enumerate(split.rows.tolist()) if wanted in _folded(texts[row])]
    return _taken(split, np.array(places, dtype=np.int64), f".find({json.dumps(wanted, ensure_ascii=False)})")


def with_ids(split: Split, ids: Collection[str], text: str) -> Split:
    """The samples with some ids, in the split's order; ``text`` says which they are. Unknown ids are ignored."""
    wanted = frozenset(ids)
    places = [at for at, ident in enumerate(split.each_id()) if ident in wanted]
    return _taken(split, np.array(places, dtype=np.int64), text)


def of_images(split: Split, wanted: np.ndarray, text: str) -> Split:
    """The samples of some images, bool by the order of `Split.images`; ``text`` says which they are."""
    images = split._groups[0][wanted]
    rows = split.rows[np.isin(split.sample_images, images)]
    refs = split.ref_rows[np.isin(split.table.ref_image[split.ref_rows], images)]
    return _part(split, rows, refs, text)


def images_with(split: Split, samples: np.ndarray) -> np.ndarray:
    """Which images have one of some samples: bool by the order of `Split.images`.

    Args:
        split: the split.
        samples: which samples, bool ``(len(split),)``.
    """
    _, starts, order = split._groups
    return np.logical_or.reduceat(samples[order], starts[:-1]) if len(order) else np.zeros(0, bool)


def annotated(split: Split) -> Split:
    """The whole split as annotated: before a choice, and without other masks."""
    while True:
        if split.truth is not None:
            split = split.truth.whole
        elif split.selection is not None:
            split = split.selection.whole
        else:
            return split


def refuse_empty(split: Split) -> Split:
    """Return the split, or refuse it if it has no expressions.

    Raises:
        DataError: the split has no expressions; the message names its files.
    """
    if len(split):
        return split
    if split.selection is not None and len(split.selection.whole):
        raise DataError(f"{split.name}{split.selection.text} has no expressions, so there is nothing to score")
    if split.truth is not None and split.truth.left_out:
        raise DataError(f"{split.name} has no expressions left: {split.truth.path} has no mask for any of them")
    files = ", ".join(str(source.path) for source in split.sources)
    raise DataError(f"{split.name} has no expressions, so there is nothing to score: see {files}")


def short_form(split: Split) -> str:
    """A split in one line, as ``repr`` prints it."""
    return f"<Split {_title(split)}: {_counts(split)}{', PARTIAL' if split.partial else ''}>"


def html_form(split: Split) -> str:
    """A split as a notebook shows it: its counts and its first expressions."""
    first = (split[at] for at in range(min(_SHOWN, len(split))))
    rows = [(one.id, one.text, one.category or "") for one in first]
    notes = []
    if split.selection is not None:
        mark = "PARTIAL: chosen" if split.partial else "Chosen"
        notes.append(f"{mark} from {counted(len(split.selection.whole), 'expression')}.")
    elif split.partial:
        notes.append("PARTIAL: less than the split in the literature, or another copy.")
    if len(split) > len(rows):
        notes.append(f"The first {len(rows)} of {counted(len(split), 'expression')}.")
    if split.truth is not None:
        notes.append(f"True masks of {split.truth.path.name}.")
    return in_html(f"{_title(split)}: {_counts(split)}", ("id", "text", "category"), rows, notes)


def _title(split: Split) -> str:
    return plain(f"{split.name}{split.selection.text}" if split.selection else split.name, 120)


def _counts(split: Split) -> str:
    images, refs, _ = split.counts  # known, because they were counted here
    return f"{counted(len(split), 'expression')} of {counted(refs or 0, 'object')} in {counted(images or 0, 'image')}"


def _folded(text: str) -> str:
    return " ".join(str(text).split()).casefold()


def _taken(split: Split, places: np.ndarray, text: str) -> Split:
    if len(places) == len(split):
        return split
    rows, refs = split.rows[places], np.unique(split.sample_refs[places])
    return replace(_part(split, rows, refs, text), partial=True)


def _part(split: Split, rows: np.ndarray, refs: np.ndarray, text: str) -> Split:
    if len(rows) == len(split):
        return split
    earlier = split.selection.text if split.selection is not None else ""
    whole = split.selection.whole if split.selection is not None else split
    counts = split.table.count(refs, rows)
    return replace(split, rows=rows, ref_rows=refs, counts=counts, selection=Selection(earlier + text, whole))
