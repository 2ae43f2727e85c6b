"""A run folder from someone else can be continued: no link in it is written through, and no file in it blocks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.folders import content_of, names_in
from helpers.small import small_split
from made_up.methods import Heats

from risbench import RisbenchError, Run, Settings, Split, evaluate, merge, score
from risbench.io import atomic
from risbench.results import jsonlines
from risbench.running.loop import Stopped

_PRECIOUS = b"precious\n"
_KEEP = Settings(save_heat=True)
_LINKED = (".lock", "rows.jsonl", "masks.jsonl", "header.json", "cost.json", "summary.json", "heats/3.npz", "heats")
# With the number of the process that will write; tests are named alike in all processes.
_DRAFTS = (
    *(f".{name}.PID.part" for name in ("rows.jsonl", "masks.jsonl", "header.json", "summary.json")),
    "heats/.3.npz.PID.part",
)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 3)


@pytest.fixture(scope="module")
def folders(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, an unfinished one and one in shards."""
    made = tmp_path_factory.mktemp("made")
    evaluate(Heats(), split, out=made / "finished", settings=_KEEP)
    with pytest.raises(Stopped):
        evaluate(Heats(), split, out=made / "unfinished", settings=_KEEP, stop=lambda: True)
    for number in range(2):
        evaluate(Heats(), split, out=made / "shards", shard=(number, 2), settings=_KEEP)
    return made


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A user's own folder, which links lead to."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("thesis.txt", ".x.npz.1.part", ".rows.jsonl.1.part"):
        (folder / name).write_bytes(_PRECIOUS)
    return folder


def _is_whole(victim: Path) -> bool:
    files = sorted(victim.iterdir())
    return [file.name for file in files] == [".rows.jsonl.1.part", ".x.npz.1.part", "thesis.txt"] and all(
        file.read_bytes() == _PRECIOUS for file in files
    )


_WORK: dict[str, tuple[str, Callable[[Split, Path], Any]]] = {
    "continue": ("unfinished", lambda split, out: evaluate(Heats(), split, out=out, settings=_KEEP)),
    "look": ("finished", lambda split, out: evaluate(Heats(), split, out=out, settings=_KEEP)),
    "overwrite": ("finished", lambda split, out: evaluate(Heats(), split, out=out, settings=_KEEP, overwrite=True)),
    "merge": ("shards", lambda split, out: merge(out, split=split)),
}


def _refusal(act: Callable[[], Any]) -> str:
    """What a call is refused with; empty if it is not."""
    try:
        act()
    except RisbenchError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", [*_LINKED, *_DRAFTS])
@pytest.mark.parametrize("work", _WORK)
def test_no_link_in_a_run_folder_is_written_through(split, folders: Path, victim: Path, tmp_path: Path, work, name):
    base, act = _WORK[work]
    shutil.copytree(folders / base, tmp_path / "run")
    place = tmp_path / "run" / name.replace("PID", str(os.getpid()))
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(victim if name == "heats" else victim / "thesis.txt")
    result = _refusal(lambda: act(split, tmp_path / "run"))
    assert not result or str(place) in result or f"run holds {name}" in result or "is not a run folder" in result
    assert "\n" not in result
    assert _is_whole(victim)


@pytest.mark.parametrize("name", [".lock", "rows.jsonl", "masks.jsonl", "header.json", "summary.json", "heats/3.npz"])
@pytest.mark.parametrize("work", ["continue", "look", "overwrite"])
def test_a_named_pipe_in_a_run_folder_keeps_nobody_waiting(split, folders: Path, tmp_path: Path, work: str, name: str):
    base, act = _WORK[work]
    shutil.copytree(folders / base, tmp_path / "run")
    place = tmp_path / "run" / name
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    os.mkfifo(place)
    result = _refusal(lambda: act(split, tmp_path / "run"))
    assert "\n" not in result
    if not result:
        assert content_of(tmp_path / "run") == content_of(folders / "finished")


@pytest.mark.parametrize("name", [".lock", "rows.jsonl", "masks.jsonl", "header.json", "summary.json"])
def test_scoring_writes_through_no_link(split: Split, folders: Path, victim: Path, tmp_path: Path, name: str):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(victim / "thesis.txt")
    result = _refusal(lambda: score(folders / "finished", split, rules="clean", out=tmp_path / "run"))
    assert not result or name in result
    assert _is_whole(victim)


@pytest.mark.parametrize("link", ["shards", "shards/0-of-2"])
def test_a_shard_is_not_written_into_a_linked_folder(split: Split, victim: Path, tmp_path: Path, link: str):
    (tmp_path / "run" / link).parent.mkdir(parents=True)
    (tmp_path / "run" / link).symlink_to(victim)
    with pytest.raises(RisbenchError, match=rf"run/{link}: is a link, and no link in a run folder is followed"):
        evaluate(Heats(), split, out=tmp_path / "run", shard=(0, 2))
    assert _is_whole(victim)


def test_a_users_own_links_above_the_run_are_followed(split: Split, tmp_path: Path):
    (tmp_path / "disk" / "old").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    (tmp_path / "run").symlink_to(tmp_path / "disk" / "old")
    assert evaluate(Heats(), split, out=tmp_path / "runs" / "new").summary["count"] == len(split)
    assert evaluate(Heats(), split, out=tmp_path / "run").summary["count"] == len(split)
    assert "summary.json" in names_in(tmp_path / "disk" / "old")
    assert "summary.json" in names_in(tmp_path / "disk" / "new")


def test_a_file_with_another_name_keeps_its_content_there(split: Split, folders: Path, tmp_path: Path):
    """As `cp -al` leaves it: two names, one content."""
    shutil.copytree(folders / "unfinished", tmp_path / "kept")
    shutil.copytree(tmp_path / "kept", tmp_path / "run", copy_function=os.link)
    before = {name: (tmp_path / "kept" / name).read_bytes() for name in names_in(tmp_path / "kept")}
    run = evaluate(Heats(), split, out=tmp_path / "run", settings=_KEEP)
    assert content_of(run.path) == content_of(folders / "finished")
    assert {name: (tmp_path / "kept" / name).read_bytes() for name in before} == before


def test_what_a_user_writes_over_a_link_of_his_own_takes_the_links_place(tmp_path: Path):
    (tmp_path / "table.md").write_text("old")
    (tmp_path / "link.md").symlink_to(tmp_path / "table.md")
    jsonlines.replace(tmp_path / "link.md", "new")
    assert (tmp_path / "link.md").read_text() == "new"
    assert (tmp_path / "table.md").read_text() == "old"


def test_a_write_that_is_stopped_leaves_no_draft(tmp_path: Path):
    def stopped(_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "file").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        atomic.replace(tmp_path / "file", stopped)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_linked_files_of_a_finished_run_are_read(folders: Path, tmp_path: Path):
    """Reading harms nobody, and heats often lie on another disk."""
    (tmp_path / "run").mkdir()
    for file in (folders / "finished").iterdir():
        (tmp_path / "run" / file.name).symlink_to(file)
    run = Run.load(tmp_path / "run")
    assert len(run.rows()) == len(list(run.masks())) == json.loads((run.path / "summary.json").read_text())["count"]
