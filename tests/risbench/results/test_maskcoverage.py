"""Masks are counted without decoding or parsing them as they are when every line is parsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risbench.errors import DataError, MaskError
from risbench.masks import encode
from risbench.metrics.coverage import Coverage, coverage_of
from risbench.results import jsonlines
from risbench.results.columns.maskcoverage import _counted, coverage_in


def _line(mask: np.ndarray, **more: Any) -> str:
    return json.dumps({"id": "refcoco_val/1/2", "segmentation": encode(mask), **more})


def _outcome(count: Any) -> Coverage | str:
    try:
        return count()
    except (DataError, MaskError) as error:
        return f"{type(error).__name__}: {error}"


def _agree(folder: Path, lines: list[str]) -> Coverage | str:
    path = folder / "masks.jsonl"
    path.write_bytes("".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass"))
    plain = _outcome(lambda: coverage_of(line for _, line in jsonlines.read(path)))
    found = _outcome(lambda: coverage_in(path))
    # Which of several broken lines is named may differ; whether there is one may not.
    assert found == plain or (isinstance(found, str) and isinstance(plain, str))
    return found


_masks = st.builds(
    lambda seed, share: np.random.default_rng(seed).random((13, 17)) < share,
    st.integers(0, 99),
    st.sampled_from([0, 0.01, 0.5, 0.96, 1]),
)
_more = st.fixed_dictionaries(
    {},
    optional={
        "cut": st.just("tris"),
        "found": st.just("clean"),
        "point": st.just([3.5, 4.0]),
        "boxes": st.just([[0.0, 1.0, 2.0, 3.5]]),
        "missing": st.booleans(),
        "note": st.text(max_size=3),
    },
)
_lines = st.builds(lambda mask, more: _line(mask, **more), _masks, _more)


@given(st.lists(_lines, max_size=8))
def test_counts_are_those_of_parsed_lines(tmp_path_factory: pytest.TempPathFactory, lines: list[str]):
    assert isinstance(_agree(tmp_path_factory.mktemp("masks"), lines), Coverage)


_GOOD = _line(np.eye(20, 30, dtype=bool), cut="tris", point=[1.0, 2.0])
_edits = st.builds(
    lambda at, text: _GOOD[:at] + text + _GOOD[at + 1 :],
    st.integers(0, len(_GOOD)),
    st.text('0123PopqN\\"}{ ,', max_size=3),
)


@given(st.lists(st.one_of(_lines, _edits), max_size=4))
def test_an_odd_line_is_counted_or_refused_as_parsed_ones_are(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
):
    _agree(tmp_path_factory.mktemp("masks"), lines)


@pytest.mark.parametrize("counts", ["", "P", "0" * 3, "oooooooo0", "\\\\0", "q", "é", "PPPPPPP0", "0O0", "0@0"])
def test_codes_by_hand(tmp_path: Path, counts: str):
    line = json.dumps({"id": "a", "segmentation": {"size": [2, 3], "counts": counts}}, ensure_ascii=False)
    _agree(tmp_path, [line, _GOOD])


def test_more_masks_than_are_counted_at_once(tmp_path: Path):
    whole, nothing, some = np.ones((5, 5), bool), np.zeros((5, 5), bool), np.eye(5, dtype=bool)
    found = _agree(tmp_path, [_line(mask, cut="tris") for mask in (whole, nothing, some) for _ in range(150)])
    assert isinstance(found, Coverage)
    assert tuple(found.cut) == (450, 150, 150)


def test_a_line_as_a_run_writes_it_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("risbench.results.columns.maskcoverage.object_in", lambda *_: pytest.fail("parsed"))
    assert _counted([(1, _GOOD.encode() + b"\n")], tmp_path).cut.masks == 1
