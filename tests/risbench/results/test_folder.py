"""A run folder: locked, continued, brought into order, complete only with its summary."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from risbench.datasets.annotations.sampleids import SampleIds
from risbench.errors import DataError, RisbenchError, UsageError
from risbench.io.jsonfile import read_record
from risbench.results import heats, jsonlines
from risbench.results.folder import SCHEMA, RunFolder
from risbench.results.header import Header
from risbench.results.jsonrecord import from_json
from risbench.results.rows import Row
from risbench.results.run import Run

RULES = {"name": "tris", "text": "as it is", "threshold": None}
COUNTS = {"images": None, "refs": None, "expressions": None}
PART = {
    "n": 1,
    "started": "2026-01-02T03:04:05Z",
    "commit": None,
    "packages": {},
    "machine": {"system": "Linux", "processor": "one", "cores": 2, "gpu": None},
}
HEADER = {
    "schema": SCHEMA,
    "method": {"name": "m", "entry_point": None, "card": {}},
    "arguments": {},
    "rules": RULES,
    "split": {"name": "s", "counts": COUNTS, "expected": COUNTS, "partial": False, "sources": []},
    "texts": "given",
    "partial": True,
    "limit": None,
    "shard": (0, 2),
    "save_heat": None,
    "data_root": "here",
    "provenance": [PART],
}
SUMMARY = {
    "schema": SCHEMA,
    "method": "m",
    "split": "s",
    "rules": RULES,
    "texts": "given",
    "count": 6,
    "missing": 0,
    "partial": True,
    "metrics": {},
}


def _opened(path: Path, record: dict[str, Any] = HEADER) -> RunFolder:
    return RunFolder(path, from_json(Header, record))


def _row(number: int, score: int = 1) -> Row:
    return Row(f"s/{number}/0", number, number, 0, score, 9, None, None, None)


def _mask(number: int, result: str = "") -> str:
    return json.dumps({"id": f"s/{number}/0", "said": result})


def _lines(path: Path) -> list[str]:
    return [line["id"] for _, line in jsonlines.read(path)]


def test_a_folder_is_made_with_its_header(tmp_path: Path):
    with _opened(tmp_path / "a" / "b", HEADER) as folder:
        assert len(folder.rows) == 0
    assert read_record(tmp_path / "a" / "b" / "header.json") == json.loads(json.dumps(HEADER))


def test_a_folder_goes_on_with_its_rows_and_adds_provenance(tmp_path: Path):
    with _opened(tmp_path) as folder:
        folder.append([_row(1), _row(2)], [_mask(1), _mask(2)])
    with _opened(tmp_path, {**HEADER, "provenance": [{**PART, "n": 2}], "data_root": "elsewhere"}) as folder:
        assert list(folder.rows.columns().ids) == ["s/1/0", "s/2/0"]
    header = read_record(tmp_path / "header.json")
    assert header["provenance"] == [PART, {**PART, "n": 2}]


def test_an_expression_is_done_when_both_files_hold_it(tmp_path: Path):
    with _opened(tmp_path) as folder:
        folder.append([_row(1)], [_mask(1)])
    jsonlines.append(tmp_path / "masks.jsonl", [_mask(2)])
    jsonlines.append(tmp_path / "rows.jsonl", [_row(3).as_line()])
    with _opened(tmp_path) as folder:
        assert list(folder.rows.columns().ids) == ["s/1/0"]


def test_of_two_rows_about_one_expression_the_later_counts(tmp_path: Path):
    with _opened(tmp_path) as folder:
        folder.append([_row(1, 3), _row(1, 5)], [_mask(1, "old"), _mask(1, "new")])
    with _opened(tmp_path) as folder:
        assert folder.rows.columns().intersection.tolist() == [5]
        folder.close(SampleIds.of(["s/1/0"]), {})
    assert [line["said"] for _, line in jsonlines.read(tmp_path / "masks.jsonl")] == ["new"]


def test_a_folder_in_use_is_refused_and_free_after(tmp_path: Path):
    with _opened(tmp_path), pytest.raises(RisbenchError, match="another process is writing to this folder"):
        _opened(tmp_path)
    _opened(tmp_path).__exit__()


def test_a_refused_folder_is_not_left_locked(tmp_path: Path):
    with _opened(tmp_path):
        pass
    with pytest.raises(UsageError, match="its limit is null, this command's is 3"):
        _opened(tmp_path, {**HEADER, "limit": 3})
    with (tmp_path / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_difference_is_told_at_its_innermost_place_and_cut_short(tmp_path: Path):
    with _opened(tmp_path):
        pass
    other = {**HEADER, "method": {"name": "m", "entry_point": None, "card": {"weights": "x" * 200}}}
    with pytest.raises(UsageError) as raised:
        _opened(tmp_path, other)
    assert "its method.card.weights is null, this command's is \"xxx" in str(raised.value)
    assert len(str(raised.value)) < 250 + len(str(tmp_path))


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_closing_brings_rows_and_masks_into_order(tmp_path: Path, came: Sequence[int], again: list[int]):
    for name in ("rows.jsonl", "masks.jsonl", "header.json"):
        (tmp_path / name).unlink(missing_ok=True)
    if again:
        jsonlines.append(tmp_path / "masks.jsonl", [_mask(number, "old") for number in again])  # of a killed run
    with _opened(tmp_path) as folder:
        for number in came:
            folder.append([_row(number)], [_mask(number, "new")])
        folder.close(SampleIds.of(f"s/{number}/0" for number in range(6)), SUMMARY)
    wanted = [f"s/{number}/0" for number in range(6)]
    assert _lines(tmp_path / "rows.jsonl") == _lines(tmp_path / "masks.jsonl") == wanted
    assert {line["said"] for _, line in jsonlines.read(tmp_path / "masks.jsonl")} == {"new"}
    run = Run.load(tmp_path)
    assert [row.id for row in run.rows()] == wanted
    assert run.summary == SUMMARY


def test_lines_of_another_program_are_not_taken_for_rows(tmp_path: Path):
    with _opened(tmp_path) as folder:
        folder.append([_row(2), _row(1)], [_mask(2), _mask(1)])
        jsonlines.append(tmp_path / "masks.jsonl", [_mask(3)])
        with pytest.raises(DataError, match="has 3 lines in place of 2: did another program write to it"):
            folder.close(SampleIds.of(["s/1/0", "s/2/0"]), SUMMARY)
    assert not (tmp_path / "summary.json").exists()


def test_an_empty_run_has_all_its_files(tmp_path: Path):
    with _opened(tmp_path) as folder:
        folder.close(SampleIds.of([]), {**SUMMARY, "count": 0})
    run = Run.load(tmp_path)
    assert (run.rows(), list(run.masks()), run.cost()) == ([], [], [])


def test_an_id_without_a_line_is_named(tmp_path: Path):
    path = tmp_path / "masks.jsonl"
    path.write_text(_mask(1) + "\n")
    with pytest.raises(DataError, match="has no line for s/2/0"):
        jsonlines.put_in_order(path, SampleIds.of(["s/1/0", "s/2/0"]))
    assert [file.name for file in tmp_path.iterdir()] == ["masks.jsonl"]


def test_clearing_forgets_rows_masks_and_summary(tmp_path: Path):
    with _opened(tmp_path) as folder:
        folder.append([_row(1)], [_mask(1)])
        folder.close(SampleIds.of(["s/1/0"]), {})
        folder.clear()
        assert len(folder.rows) == 0
    assert {file.name for file in tmp_path.iterdir()} == {".lock", "header.json"}


def test_what_is_no_run_is_not_read_as_one(tmp_path: Path):
    with pytest.raises(DataError, match=r"is not a run folder: it has no header\.json"):
        Run.load(tmp_path)
    (tmp_path / "header.json").write_text('{"schema": 99}')
    with pytest.raises(DataError, match=r"has schema 99; this version reads 1"):
        Run.load(tmp_path)
    (tmp_path / "header.json").write_text('{"schema": 1')
    with pytest.raises(RisbenchError, match=r"header\.json: not JSON"):
        Run.load(tmp_path)
    (tmp_path / "header.json").write_text(json.dumps(HEADER))
    with pytest.raises(DataError, match="give its command again with --out to continue"):
        Run.load(tmp_path)
    (tmp_path / "shards").mkdir()
    with pytest.raises(DataError, match=r"is not finished .*`risbench merge"):
        Run.load(tmp_path)


_ids = st.text(min_size=1, max_size=12) | st.sampled_from(["../up", ".hidden", "a/b", "x" * 300, "ü", "CON", "a b"])


@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ids.filter(lambda name: name.isprintable()) | st.integers(0, 10**12))
def test_heats_of_an_image_of_any_name_come_back(tmp_path: Path, image: str | int):
    heat = np.arange(6, dtype=np.float32).reshape(2, 3)
    heats.save(tmp_path, image, {"refcoco_val/1/2": heat, "refcoco_val/1/3": -heat}, "float32")
    assert heats.file_of(tmp_path, image).parent == tmp_path / "heats"
    found = heats.load(tmp_path, image)
    assert list(found) == ["refcoco_val/1/2", "refcoco_val/1/3"]
    np.testing.assert_array_equal(found["refcoco_val/1/3"], -heat)
    assert heats.load(tmp_path, "another") == {}


def test_heats_are_the_same_bytes_whenever_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    heat = {"a/1/2": np.ones((2, 3), np.float32)}
    heats.save(tmp_path, 1, heat, "float32")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    heats.save(tmp_path, 2, heat, "float32")
    assert heats.file_of(tmp_path, 1).read_bytes() == heats.file_of(tmp_path, 2).read_bytes()


def test_broken_heats_are_named(tmp_path: Path):
    file = heats.file_of(tmp_path, 1)
    file.parent.mkdir()
    file.write_bytes(b"not a zip")
    with pytest.raises(DataError, match=r"1\.npz: cannot be read"):
        heats.load(tmp_path, 1)
