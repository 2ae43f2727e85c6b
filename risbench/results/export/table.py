"""A run as a table: one line for each expression, with its scores and what the split knows about it.

The columns are `COLUMNS`: ids, text, category, area, words, then the scores as in ``rows.jsonl``. ``area`` is the
share of the image that the true mask covers (the union of its parts), ``words`` the number of words. Text, category,
area and words come from the split, so they are absent where its files are not at hand.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets.annotations.sampleids import SampleIds
from ...datasets.catalog import find
from ...datasets.expressions import share_of, words_of
from ...datasets.load import is_to_be_drawn
from ...datasets.split import Split
from ...errors import DataError, DataWarning, UsageError
from ..rows import Row
from ..scored import refuse_other_split, scored_split

if TYPE_CHECKING:
    import pandas

    from ..run import Run

# The type of each column; a column of ids has numbers if all its ids are whole numbers, else texts.
COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "id": "string",
        "image_id": "id",
        "ref_id": "id",
        "sent_id": "id",
        "text": "string",
        "category": "string",
        "area": "float64",
        "words": "int64",
        "intersection": "int64",
        "union": "int64",
        "iou": "float64",
        "hit_box": "bool",
        "hit_mask": "bool",
        "box_iou": "float64",
        "box_hit": "bool",
        "seconds": "float64",
        "missing": "bool",
    }
)
_KEPT = 4096  # objects whose shares are remembered
_FROM_SPLIT = ("text", "category", "area", "words")
_IN_PANDAS = {"string": "string", "float64": "float64", "int64": "Int64", "bool": "boolean"}


def frame_of(run: Run, split: Split | None = None, data_root: str | Path | None = None) -> pandas.DataFrame:
    """The table in pandas; see `Run.to_frame`."""
    import pandas

    rows = run.rows()
    found: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for record in records_of(run, rows, SampleIds.of(row.id for row in rows), split, data_root):
        for name, value in record.items():
            found[name].append(value)
    series = {}
    for name, kind in COLUMNS.items():
        values, kind = column_of(kind, found.pop(name))
        # Of ids none is absent, so they keep the plain type.
        series[name] = pandas.array(values, "int64" if kind == "int64" and name.endswith("id") else _IN_PANDAS[kind])
    return pandas.DataFrame(series)


def column_of(kind: str, values: Sequence[Any]) -> tuple[Sequence[Any], str]:
    """The values of a column and their type; ids become numbers or texts, all alike."""
    if kind != "id":
        return values, kind
    if all(type(value) is int and abs(value) < 1 << 63 for value in values):
        return values, "int64"
    return [str(value) for value in values], "string"


def records_of(
    run: Run,
    rows: Iterable[Row],
    ids: SampleIds,
    split: Split | None = None,
    data_root: str | Path | None = None,
) -> Iterator[dict[str, Any]]:
    """The lines of the table one after the other, in the run's order; None where there is no value.

    Args:
        run: the run.
        rows: its rows.
        ids: their ids, in the same order.
        split: its split, if it is loaded already.
        data_root: where the split lies; by default where the run found it.

    Raises:
        UsageError: the split that is given is not the run's, or lacks some of its expressions.
        DataError: ``data_root`` is given and does not hold the run's split.
    """
    found = split_at_hand(run, split, data_root)
    facts = repeat(dict.fromkeys(_FROM_SPLIT)) if found is None else _facts(found, _places(run, found, ids))
    return ({name: (known | _scores(row))[name] for name in COLUMNS} for known, row in zip(facts, rows, strict=False))


def split_at_hand(run: Run, split: Split | None = None, data_root: str | Path | None = None) -> Split | None:
    """The split of a run; None, with a warning, if it is not where the run found it and none is given.

    Raises:
        UsageError: a split is given, and it is not the run's.
        DataError: ``data_root`` is given and does not hold the run's split.
    """
    if split is not None:
        refuse_other_split(run, split)
        return split
    try:
        root = data_root if data_root is not None else run.about.data_root
        if is_to_be_drawn(find(run.about.split.name, root)):
            raise DataError("its scenes are not drawn on this machine yet; risbench.load_split draws them")
        found = scored_split(run.about, run.path, data_root)
        refuse_other_split(run, found)
    except (DataError, UsageError) as error:
        if data_root is not None:
            raise
        text = f"{run.path}: without text, category, area and words, because its split is not at hand: {error}"
        warnings.warn(text, DataWarning, stacklevel=3)
        return None
    return found


def _places(run: Run, split: Split, ids: SampleIds) -> np.ndarray:
    """The place of each expression in the split.

    Raises:
        UsageError: the split lacks one.
    """
    places = ids.places_in(SampleIds.of(split.each_id()))
    if (places < 0).any():
        ident = min(ids.take(np.flatnonzero(places < 0)))
        raise UsageError(f"{run.path}: its expression {ident} is not in {split!r}: give the whole split")
    return places


def _facts(split: Split, places: np.ndarray) -> Iterator[dict[str, Any]]:
    """What the split knows about some of its expressions, one after the other."""
    shares: dict[tuple[Any, ...], float | None] = {}  # the expressions about one object share its mask
    for at in places.tolist():
        sample = split[at]
        key = sample.image_id, sample.ref_id
        if key not in shares:
            if len(shares) >= _KEPT:
                shares.clear()
            shares[key] = share_of(sample) if sample.parts else None
        values = sample.text, sample.category, shares[key], len(words_of(sample.text))
        yield dict(zip(_FROM_SPLIT, values, strict=True))


def _scores(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "image_id": row.image_id,
        "ref_id": row.ref_id,
        "sent_id": row.sent_id,
        "intersection": row.intersection,
        "union": row.union,
        "iou": row.iou,
        "hit_box": row.hit_box,
        "hit_mask": row.hit_mask,
        "box_iou": row.box_iou,
        "box_hit": None if row.box_iou is None else row.box_iou > 0.5,
        "seconds": row.seconds,
        "missing": row.missing,
    }
