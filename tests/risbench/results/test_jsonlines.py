"""Files of lines survive being cut anywhere: the whole is read, the half is dropped, the broken is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risbench.errors import DataError, RisbenchError
from risbench.io import atomic
from risbench.results import jsonlines

_values = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(st.characters(exclude_categories=["Cs"]))
_objects = st.lists(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), _values, max_size=4))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines") / "lines.jsonl"


def _text(item: object) -> str:
    return json.dumps(item, ensure_ascii=False)


@given(st.lists(_objects, max_size=4))
def test_what_was_appended_is_read_with_its_line_numbers(path: Path, parts: list[list[dict]]):
    path.unlink(missing_ok=True)
    for part in parts:
        jsonlines.append(path, [_text(item) for item in part])
    whole = [item for part in parts for item in part]
    assert list(jsonlines.read(path) if parts else []) == list(enumerate(whole, start=1))


@given(_objects, st.data())
def test_of_a_file_cut_at_any_byte_the_whole_lines_stay(path: Path, items: list[dict], data: st.DataObject):
    content = "".join(_text(item) + "\n" for item in items).encode()
    kept = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:kept])
    jsonlines.cut_half_line(path)
    whole = content[:kept].count(b"\n")
    assert [item for _, item in jsonlines.read(path)] == items[:whole]
    jsonlines.append(path, [_text({"more": 1})])
    assert [item for _, item in jsonlines.read(path)] == [*items[:whole], {"more": 1}]


@pytest.mark.parametrize("half", [1, 65535, 65536, 65537, 200_000])
@pytest.mark.parametrize("before", [b"", b'{"a": 1}\n'])
def test_a_half_line_of_any_length_is_cut(path: Path, half: int, before: bytes):
    path.write_bytes(before + b"x" * half)
    jsonlines.cut_half_line(path)
    assert path.read_bytes() == before


def test_an_absent_file_has_no_half_line_and_stays_absent(tmp_path: Path):
    jsonlines.cut_half_line(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("line", "result"),
    [
        (b'{"a": 1', "not JSON"),
        (b'{"a": 1}{"b": 2}', "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"\0\0\0\0", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "a JSON object is expected, not list"),
        (b"null", "a JSON object is expected, not NoneType"),
    ],
)
def test_a_broken_line_is_named_by_its_number(path: Path, line: bytes, result: str):
    path.write_bytes(b'{"a": 1}\n\n' + line + b'\n{"b": 2}\n')
    read = jsonlines.read(path)
    assert next(read) == (1, {"a": 1})
    with pytest.raises(DataError, match=rf"lines\.jsonl, line 3: {result}"):
        next(read)


def test_an_absent_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="none: cannot be read: No such file"):
        list(jsonlines.read(tmp_path / "none"))


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "folder" / "file.json"
    jsonlines.replace(path, "old")

    def broken(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(RisbenchError, match=r"file\.json: cannot be written: No space left on device"):
        jsonlines.replace(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_what_killed_processes_left_of_a_file_is_taken_away(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine, theirs = tmp_path / f".a.md.{gone.pid}.part", tmp_path / f".b.md.{gone.pid}.part"
    alive = tmp_path / f".a.md.{os.getppid()}.part"
    for left in (mine, theirs, alive):
        left.write_text("half")
    jsonlines.replace(tmp_path / "a.md", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([alive.name, theirs.name, "a.md"])
    atomic.sweep_parts(tmp_path)
    assert not theirs.exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RisbenchError, match=r"file/table.md: cannot be written"):
        jsonlines.replace(tmp_path / "file" / "table.md", "x")
