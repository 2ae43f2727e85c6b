"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from risbench.io.atomic import drafted, part_of, write_whole


def test_what_is_written_whole_has_the_permissions_of_any_new_file(tmp_path: Path):
    (tmp_path / "usual").write_bytes(b"")
    write_whole(tmp_path / "new" / "file", lambda file: file.write(b"content"))
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "new/file")]
    assert modes[0] == modes[1]


def test_a_pipe_stays_a_pipe_and_gets_the_content(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_whole(tmp_path / "pipe", lambda file: file.write(b"content"))
    reader.join()
    assert got == [b"content"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_draft_takes_its_place_at_the_end_and_not_before(tmp_path: Path):
    (tmp_path / "file").write_text("old")
    with drafted(tmp_path / "file") as draft:
        draft.write_text("new")
        assert (tmp_path / "file").read_text() == "old"
    assert (tmp_path / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_draft_that_fails_leaves_what_was_there(tmp_path: Path):
    def filled() -> None:
        with drafted(tmp_path / "file") as draft:
            draft.write_text("half")
            raise OSError("full")

    (tmp_path / "file").write_text("old")
    with pytest.raises(OSError, match="full"):
        filled()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "old"}


def test_two_threads_do_not_share_a_draft(tmp_path: Path):
    names = [part_of(tmp_path / "file").name]
    thread = threading.Thread(target=lambda: names.append(part_of(tmp_path / "file").name))
    thread.start()
    thread.join()
    assert names[0] == f".file.{os.getpid()}.part"
    assert names[1] != names[0]
    assert names[1].endswith(f".{os.getpid()}.part")
