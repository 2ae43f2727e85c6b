"""Files that are written together take their places together, or nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from risbench import RisbenchError
from risbench.results.export.wholefiles import whole_files


def test_all_files_take_their_places_at_the_end(tmp_path: Path):
    paths = [tmp_path / "new" / "folder" / name for name in ("a", "b")]
    with whole_files(paths) as files:
        for number, file in enumerate(files):
            file.write(b"%d" % number)
        assert not any(path.exists() for path in paths)
    assert [path.read_bytes() for path in paths] == [b"0", b"1"]
    assert {path.name for path in paths[0].parent.iterdir()} == {"a", "b"}


def _fail_in(paths: list[Path]) -> None:
    with whole_files(paths) as files:
        files[0].write(b"after")
        raise ValueError("broken")


def test_if_one_fails_nothing_is_changed_and_no_folder_is_left(tmp_path: Path):
    (tmp_path / "old").write_text("before")
    for paths in ([tmp_path / "old", tmp_path / "other"], [tmp_path / "new" / "folder" / "a"]):
        with pytest.raises(ValueError, match="broken"):
            _fail_in(paths)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "before")]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RisbenchError, match="file/folder: cannot be written"),
        whole_files([tmp_path / "file/folder/a"]),
    ):
        pass
