"""Where an import puts files, and what it never does to those that are there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from helpers import copies
from helpers.commands import Ask

from risbench import load_split
from risbench.datasets.imports.copies import import_copy


def content_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.lstat().st_mtime_ns)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.mark.parametrize("made", [copies.refer_tool, copies.all_zips, copies.jxu124, copies.lmms, copies.tris])
@pytest.mark.parametrize("copy", [False, True])
def test_doing_it_again_changes_nothing(tmp_path: Path, made: Callable[[Path], Path], copy: bool):
    made(tmp_path / "mine")
    import_copy(tmp_path / "mine", tmp_path / "data", copy=copy)
    before = content_of(tmp_path / "data")
    again = import_copy(tmp_path / "mine", tmp_path / "data", copy=copy)
    assert content_of(tmp_path / "data") == before
    assert {taken.how for taken in again.annotations} == {"there"}
    assert all(set(done) == {"there"} for done in again.images.values())
    assert not again.refused


def test_linked_files_are_the_users_own_and_copied_ones_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copies.lavt(tmp_path / "mine")
    mine = tmp_path / "mine/refer/data/refcocog/instances.json"
    place = "refer/refcocog/instances.json"
    import_copy(tmp_path / "mine", tmp_path / "linked")
    assert (tmp_path / "linked" / place).samefile(mine)
    import_copy(tmp_path / "mine", tmp_path / "copied", copy=True)
    assert not (tmp_path / "copied" / place).samefile(mine)
    assert (tmp_path / "copied" / place).read_bytes() == mine.read_bytes()

    def no_link(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    report = import_copy(tmp_path / "mine", tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / place).is_symlink()
    assert {taken.how for taken in report.annotations} == {"linked"}
    assert len(load_split("refcocog_test_u", tmp_path / "elsewhere")) == 5


def test_what_is_copied_can_be_read_by_whoever_may_read_a_new_file(tmp_path: Path):
    copies.zips(tmp_path / "mine")
    import_copy(tmp_path / "mine", tmp_path / "data", copy=True)
    (tmp_path / "new").touch()
    modes = {file.stat().st_mode for file in (tmp_path / "data").rglob("*") if file.is_file()}
    assert modes == {(tmp_path / "new").stat().st_mode}


def test_another_file_that_is_there_is_kept_and_named(ask: Ask, tmp_path: Path):
    copies.zips(tmp_path / "mine")
    kept = {tmp_path / "data/train2014/COCO_train2014_000000000001.jpg": b"another picture"}
    kept[tmp_path / "data/refer/refcoco/instances.json"] = b'{"images": []}'
    for file, content in kept.items():
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert {file: file.read_bytes() for file in kept} == kept
    assert "data/refer/refcoco/instances.json: another file exists there and was kept" in result.err
    assert "data/train2014/COCO_train2014_000000000001.jpg: another file exists there and was kept" in result.err
    assert "images  train2014: 3 linked, 1 refused" in result.out


def test_a_link_to_nothing_is_not_taken_for_a_file(tmp_path: Path):
    copies.zips(tmp_path / "mine")
    place = tmp_path / "data/refer/refcoco/instances.json"
    place.parent.mkdir(parents=True)
    place.symlink_to(tmp_path / "gone")
    report = import_copy(tmp_path / "mine", tmp_path / "data")
    assert "a link to nothing" in report.refused[0].reason


def test_of_two_copies_that_differ_one_is_taken_and_the_other_named(tmp_path: Path):
    copies.zips(tmp_path / "mine/a")
    copies.zips(tmp_path / "mine/b")
    copies._refer(tmp_path / "mine/b/more", refs=[])
    report = import_copy(tmp_path / "mine", tmp_path / "data")
    assert [taken.how for taken in report.annotations] == ["copied", "copied"]
    [refused] = report.refused
    assert "mine/a/refcoco.zip" in refused.reason
    assert len(load_split("refcoco_val", tmp_path / "data")) == 6


def test_a_data_root_inside_the_source_is_not_imported_from(tmp_path: Path):
    copies.zips(tmp_path / "mine")
    import_copy(tmp_path / "mine", tmp_path / "mine/data")
    report = import_copy(tmp_path / "mine", tmp_path / "mine/data")
    assert all("mine/data" not in taken.source for taken in report.annotations)


def test_a_folder_that_cannot_be_written_is_one_line(ask: Ask, tmp_path: Path):
    copies.zips(tmp_path / "mine")
    (tmp_path / "file").touch()
    result = ask("data", "import", "--from", "mine", "--data-root", "file/data")
    assert result.code == 1
    assert result.err.count("\n") == 1


def test_a_full_disk_is_not_called_a_broken_archive_and_leaves_nothing_half(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from risbench.datasets.imports import placing

    copies.zips(tmp_path / "mine")
    whole = placing.write_whole

    def full(target: Path, write: Callable[..., object]) -> None:
        def stopped(file: BinaryIO) -> None:
            write(file)
            raise OSError(28, "No space left on device", str(target))

        whole(target, stopped)

    monkeypatch.setattr(placing, "write_whole", full)
    result = ask("data", "import", "--from", "mine", "--data-root", "data")
    assert result.code == 1
    assert result.err == "risbench: data/refer/refcoco/instances.json: No space left on device\n"
    assert not [file for file in (tmp_path / "data").rglob("*") if file.is_file()]


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copies.zips(tmp_path / "mine")
    locked, opened = tmp_path / "mine/train2014/COCO_train2014_000000000003.jpg", Path.open

    def denied(path: Path, *words: Any, **more: Any) -> Any:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *words, **more)

    monkeypatch.setattr(Path, "open", denied)
    report = import_copy(tmp_path / "mine", tmp_path / "data", copy=True)
    assert report.images == {"train2014": {"copied": 3, "refused": 1}}
    assert report.refused[0].reason == f"{locked}: cannot be read, or is broken (Permission denied); get it again"


def test_a_tree_that_is_a_data_root_already_is_found_so(tmp_path: Path):
    copies.tris(tmp_path / "mine")
    before = content_of(tmp_path / "mine")
    report = import_copy(tmp_path / "mine", tmp_path / "mine")
    assert {taken.how for taken in report.annotations} == {"there"}
    assert {state.name for state in report.splits if state.ready} >= {"refcoco+_val", "referit_test"}
    assert content_of(tmp_path / "mine") == before
