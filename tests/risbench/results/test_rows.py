"""Rows are read back unchanged from their lines, and their columns have no invented values."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risbench.errors import DataError
from risbench.results.columns.rowcolumns import columns_of
from risbench.results.rows import Row

_names = st.integers(0, 2**53) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_rows = st.builds(
    lambda overlap, **more: Row(intersection=overlap and min(overlap), union=overlap and max(overlap), **more),
    overlap=st.none() | st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)),
    id=st.text(st.characters(exclude_categories=["Cs"])),
    image_id=_names,
    ref_id=_names,
    sent_id=_names,
    hit_box=st.none() | st.booleans(),
    hit_mask=st.none() | st.booleans(),
    box_iou=st.none() | st.floats(0, 1),
    seconds=st.none() | st.floats(0, 1e4).map(lambda value: round(value, 6)),
    missing=st.booleans(),
    empty_truth=st.booleans(),
)
ROW = Row("s/1/2", 3, 1, 2, 5, 10, True, False, 0.25, 0.5)


@given(_rows)
def test_a_row_comes_back_from_its_line(row: Row):
    line = row.as_line()
    assert "\n" not in line
    back = Row.from_json(json.loads(line), "there")
    assert back == row
    assert back.as_line() == line
    for name in ("image_id", "ref_id", "sent_id"):
        assert type(getattr(back, name)) is type(getattr(row, name))


def test_a_line_tells_whether_the_box_was_hit():
    for box_iou, hit in ((None, None), (0.5, False), (0.5000001, True), (0.0, False)):
        assert json.loads(replace(ROW, box_iou=box_iou).as_line())["box_hit"] is hit


def test_only_what_is_missing_says_so():
    assert "missing" not in json.loads(ROW.as_line())
    assert json.loads(replace(ROW, missing=True).as_line())["missing"] is True


@pytest.mark.parametrize("key", ["id", "image_id", "ref_id", "sent_id", "intersection", "union", "hit_box", "box_iou"])
def test_a_row_without_a_key_is_refused_by_it(key: str):
    line = asdict(ROW)
    del line[key]
    with pytest.raises(DataError, match=f"there: the row has no '{key}'"):
        Row.from_json(line, "there")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", 3),
        ("id", ["s/1/2"]),
        ("image_id", None),
        ("ref_id", True),
        ("sent_id", 1.5),
        ("hit_box", 1),
        ("hit_mask", "yes"),
        ("box_iou", "high"),
        ("box_iou", True),
        ("box_iou", math.nan),
        ("seconds", math.inf),
        ("missing", "no"),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_key(key: str, value: Any):
    with pytest.raises(DataError, match=f"there: {key} cannot be "):
        Row.from_json({**asdict(ROW), key: value}, "there")


@pytest.mark.parametrize(("both", "either"), [(-1, 3), (4, 3), (1.0, 3), (True, 3), (None, 3), (1, "3")])
def test_what_is_no_pixel_count_is_refused(both: Any, either: Any):
    with pytest.raises(DataError, match=r"there: intersection .* and union .* are not pixel counts"):
        Row.from_json({**asdict(ROW), "intersection": both, "union": either}, "there")


@given(st.lists(_rows, max_size=8))
def test_columns_hold_each_row_and_who_does_not_point_misses_where_others_do(rows: list[Row]):
    columns = columns_of(rows)
    assert {len(values) for values in columns.values()} == {len(rows)}
    assert {values.dtype for values in columns.values()} == {np.dtype(np.float64)}
    truth_of = {"hit_box": "box_iou", "hit_mask": "union"}
    for name in ("intersection", "union", "hit_box", "hit_mask", "box_iou"):
        requested = any(getattr(row, name) is not None for row in rows if not row.missing)
        for row, found in zip(rows, columns[name].tolist(), strict=True):
            value = getattr(row, name)
            if value is not None:
                assert found == float(value)
            elif requested and name in truth_of and getattr(row, truth_of[name]) is not None:
                assert found == 0.0
            else:
                assert math.isnan(found)


def test_two_empty_masks_score_nothing():
    assert replace(ROW, intersection=0, union=0).iou == 0.0
    assert ROW.iou == 0.5


@pytest.mark.parametrize("key", ["intersection", "union", "box_iou", "seconds"])
def test_a_number_that_no_float_holds_is_refused(key: str):
    line = {**json.loads(ROW.as_line()), "union": 10**400, key: 10**400}
    with pytest.raises(DataError, match="here: "):
        Row.from_json(line, "here")
