"""Rows read as columns are the rows read one by one: the same values, order and refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risbench.datasets.annotations.sampleids import SampleIds
from risbench.errors import DataError
from risbench.results.columns.rowcolumns import RowColumns, columns_of, left_out_counts
from risbench.results.columns.rowreading import _as_written, read_columns
from risbench.results.rows import Row, read_rows

ROW = Row("refcoco_val/1/2", 7, 1, 2, 30, 60, True, False, 0.25, 0.1)
NAMES = ("image_id", "intersection", "union", "hit_box", "hit_mask", "box_iou", "missing", "empty_truth", "no_target")
_idents = st.one_of(st.integers(-(2**70), 2**70), st.text(max_size=6))
_hits = st.sampled_from([True, False, None])
_rows = st.builds(
    lambda id, image, ref, sent, counts, hits, box, seconds, marks: Row(
        id, image, ref, sent, *sorted(counts) if counts else (None, None), *hits, box, seconds, *marks
    ),
    st.text(max_size=12),
    _idents,
    _idents,
    _idents,
    st.one_of(st.none(), st.tuples(*[st.integers(0, 2**53)] * 2)),
    st.tuples(_hits, _hits),
    st.one_of(st.none(), st.floats(0, 1)),
    st.one_of(st.none(), st.floats(0, 1e6)),
    st.tuples(*[st.booleans()] * 3),
)


def _in(folder: Path, lines: list[bytes]) -> Path:
    path = folder / "rows.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def _values(columns: RowColumns) -> list[tuple[Any, ...]]:
    lists = [list(columns.ids), *(getattr(columns, name).tolist() for name in NAMES)]
    return [
        tuple(None if isinstance(one, float) and math.isnan(one) else one for one in line)
        for line in zip(*lists, strict=True)
    ]


def _outcome(read: Callable[[], list[Any]]) -> list[Any] | str:
    try:
        return read()
    except DataError as error:
        return str(error)


def _expected(row: Row) -> tuple[Any, ...]:
    hits = [-1 if hit is None else int(hit) for hit in (row.hit_box, row.hit_mask)]
    marks = row.missing, row.empty_truth, row.no_target
    return row.id, row.image_id, row.intersection, row.union, *hits, row.box_iou, *marks


@given(st.lists(_rows, max_size=6))
def test_columns_hold_what_each_row_holds(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]):
    lines = [(row.as_line() + "\n").encode("utf-8", "backslashreplace") for row in rows]
    found = read_columns(_in(tmp_path_factory.mktemp("rows"), lines))
    assert _values(found) == [_expected(row) for row in rows] == _values(RowColumns.of(rows))
    ious = [None if math.isnan(iou) else iou for iou in found.iou.tolist()]
    assert ious == [row.iou for row in rows]
    assert found.without_mask.tolist() == [row.without_mask for row in rows]


def test_lines_as_a_run_writes_them_need_no_parser():
    others = [
        ROW,
        replace(ROW, intersection=None, union=None, box_iou=None),
        replace(ROW, missing=True, image_id="a b"),
    ]
    piece = [(at, (row.as_line() + "\n").encode()) for at, row in enumerate(others, start=1)]
    found = _as_written(piece)
    assert found is not None
    assert _values(found) == [_expected(row) for row in others]


_good = ROW.as_line()
_edits = st.one_of(
    st.builds(lambda at, text: _good[:at] + text + _good[at + 1 :], st.integers(0, len(_good)), st.text(max_size=2)),
    st.builds(
        lambda key, value: json.dumps({**json.loads(_good), key: value}),
        st.sampled_from([*NAMES, "id", "ref_id", "sent_id", "seconds"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([])),
    ),
    st.builds(lambda key: json.dumps({k: v for k, v in json.loads(_good).items() if k != key}), st.sampled_from(NAMES)),
    st.sampled_from(["", " ", "[]", "{", _good + _good, _good.replace("60", "060"), _good.replace("60", "6e1")]),
    st.sampled_from([_good.replace("0.1}", f"{number}}}") for number in ("1e99", "1e400", "-0.0", "01.5", "NaN")]),
)


@given(st.lists(_edits, min_size=1, max_size=3))
def test_a_broken_line_is_refused_in_the_same_words(tmp_path_factory: pytest.TempPathFactory, edits: list[str]):
    lines = [(line + "\n").encode("utf-8", "surrogatepass") for line in (_good, *edits, _good)]
    path = _in(tmp_path_factory.mktemp("rows"), lines)
    one_by_one = _outcome(lambda: [_expected(row) for row in read_rows(path)])
    assert _outcome(lambda: _values(read_columns(path))) == one_by_one


@given(st.lists(_rows, max_size=8), st.sampled_from(["tris", "lavt"]))
def test_what_is_left_out_is_counted_row_by_row(rows: list[Row], rules: str):
    answered = [row for row in rows if not row.missing]
    box, mask = (any(getattr(row, name) is not None for row in answered) for name in ("hit_box", "hit_mask"))
    pointless = [
        row
        for row in answered
        if (box and row.hit_box is None and row.box_iou is not None)
        or (mask and row.hit_mask is None and not row.without_mask)
    ]
    wanted = {
        "without_mask": sum(row.without_mask for row in rows),
        "without_box": sum(row.box_iou is None for row in rows) if rules == "tris" else 0,
        "empty_truth": sum(row.empty_truth for row in rows),
        "without_point": len(pointless),
        "no_target_answered": sum(row.no_target and row.union is not None for row in rows),
    }
    assert left_out_counts(rows, rules) == {key: count for key, count in wanted.items() if count}


@given(
    st.lists(st.text(max_size=5), max_size=9),
    st.lists(st.text(max_size=5), max_size=9, unique=True),
    st.sampled_from(["", "s/", "a split/"]),
    st.sampled_from(["", "s/", "a/"]),
)
def test_ids_sort_and_are_found_as_strings(ids: list[str], others: list[str], begin: str, begin_others: str):
    ids, others = [begin + one for one in ids], [begin_others + one for one in others]
    found = SampleIds.of(ids)
    assert list(found) == ids
    assert found.order().tolist() == sorted(range(len(ids)), key=ids.__getitem__)
    assert found.has_doubles() == (len(set(ids)) < len(ids))
    every = [*others, *(one for one in dict.fromkeys(ids) if one not in others)]
    assert found.places_in(SampleIds.of(every)).tolist() == [every.index(one) for one in ids]
    assert found.places_in(SampleIds.of(others)).tolist() == [others.index(i) if i in others else -1 for i in ids]
    assert found.same(SampleIds.of(others)) == (ids == others)
    last = {one: at for at, one in enumerate(ids)}
    assert found.once().tolist() == list(last.values())
    half = np.arange(len(ids))[::2]
    assert list(found.take(half)) == ids[::2]


def test_very_long_ids_sort_too():
    ids = ["b" * 5000, "a" * 5000 + "z", "a" * 5000, "a\0", "a"]
    assert [ids[at] for at in SampleIds.of(ids).order()] == sorted(ids)


def test_many_ids_sort_and_are_found_in_pieces():
    generator = np.random.default_rng(0)
    ids = [f"own/{number // 3}/{number}" for number in generator.permutation(10_000).tolist()]
    found, others = SampleIds.of(ids), SampleIds.of(sorted(ids)[::2])
    assert [ids[at] for at in found.order()] == sorted(ids)
    assert found.once().tolist() == list(range(len(ids)))
    places = {one: at for at, one in enumerate(others)}
    assert found.places_in(others).tolist() == [places.get(one, -1) for one in ids]
    turn = generator.integers(0, len(ids), 9_000)
    assert list(found.take(turn)) == [ids[at] for at in turn]
    again = SampleIds.of([*ids, ids[7]])
    assert again.has_doubles()
    assert not found.has_doubles()


def test_of_two_rows_of_one_expression_the_last_is_kept_in_the_first_place():
    rows = [ROW, replace(ROW, id="other"), replace(ROW, union=90)]
    kept = RowColumns.of(rows).once()
    assert (list(kept.ids), kept.union.tolist()) == ([ROW.id, "other"], [90, 60])


def test_runs_of_the_same_expressions_keep_ids_and_images_once():
    first, second = (RowColumns.of([replace(ROW, union=size)]) for size in (60, 70))
    shared = second.like(first)
    assert shared.ids is first.ids
    assert shared.image_id is first.image_id
    assert columns_of(shared)["union"].tolist() == [70]
    assert second.like(RowColumns.of([replace(ROW, id="other")])) is second
