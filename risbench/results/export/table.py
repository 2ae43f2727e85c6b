"""A run as a table: one line for each expression, with its scores and what the split knows about it.

The columns are `COLUMNS`: ids, text, category, area, words, then the scores as in ``rows.jsonl``. ``area`` is the
share of the image that the true mask covers (the union of its parts), ``words`` the number of words. Text, category,
area and words come from the split, so they are absent where its files are not at hand.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

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
_FROM_SPLIT = ("text", "category", "area", "words")
_IN_PANDAS = {"string": "string", "float64": "float64", "int64": "Int64", "bool": "boolean"}


def frame_of(run: Run, split: Split | None = None, data_root: str | Path | None = None) -> pandas.DataFrame:
    """The table in pandas; see `Run.to_frame`."""
    import pandas

    records = records_of(run, run.rows(), split, data_root)
    series = {}
    for name, kind in COLUMNS.items():
        values, kind = column_of(kind, [record[name] for record in records])
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
    run: Run, rows: Sequence[Row], split: Split | None = None, data_root: str | Path | None = None
) -> list[dict[str, Any]]:
    """The lines of the table, in the run's order; None where there is no value.

    Args:
        run: the run.
        rows: its rows.
        split: its split, if it is loaded already.
        data_root: where the split lies; by default where the run found it.

    Raises:
        UsageError: the split that is given is not the run's, or lacks some of its expressions.
        DataError: ``data_root`` is given and does not hold the run's split.
    """
    facts = _facts(run, split_at_hand(run, split, data_root), {row.id for row in rows})
    nothing = dict.fromkeys(_FROM_SPLIT)
    return [{name: (facts.get(row.id, nothing) | _scores(row))[name] for name in COLUMNS} for row in rows]


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


def _facts(run: Run, split: Split | None, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """What the split knows about the wanted expressions, by their id."""
    if split is None:
        return {}
    shares: dict[tuple[Any, ...], float | None] = {}  # the expressions about one object share its mask
    found = {}
    for at, ident in enumerate(split.ids):
        if ident not in wanted:
            continue
        sample = split[at]
        key = sample.image_id, sample.ref_id
        if key not in shares:
            shares[key] = share_of(sample) if sample.parts else None
        values = sample.text, sample.category, shares[key], len(words_of(sample.text))
        found[ident] = dict(zip(_FROM_SPLIT, values, strict=True))
    if len(found) < len(wanted):
        ident = min(wanted - found.keys())
        raise UsageError(f"{run.path}: its expression {ident} is not in {split!r}: give the whole split")
    return found


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
