"""A file of a run that was cut off anywhere is read as it was or refused by name; no number comes out changed.

In every test run at some places, by ``make torture`` at every hundredth of every file.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.folders import content_of
from helpers.small import small_split
from made_up.methods import Heats

from risbench import RisbenchError, Run, Settings, Split, evaluate, merge, score
from risbench.leaderboard import entry as entries
from risbench.scoring.sweep import sweep

_FILES = ("header.json", "rows.jsonl", "masks.jsonl", "cost.json", "summary.json", "heats/1.npz")
_SOME, _ALL = range(5, 100, 31), range(100)
_KEPT = Settings(save_heat=True)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return small_split(tmp_path_factory.mktemp("data"), 4)


@pytest.fixture(scope="module")
def run(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluate(Heats(), split, out=tmp_path_factory.mktemp("run") / "run", settings=_KEPT).path


@pytest.fixture(scope="module")
def shards(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sharded") / "run"
    for number in range(2):
        evaluate(Heats(), split, out=out, shard=(number, 2), settings=_KEPT)
    return out


def _read(folder: Path, split: Split, other: Path) -> Any:
    loaded = Run.load(folder)
    return loaded.summary, loaded.rows(), list(loaded.masks()), loaded.cost()


def _printed(folder: Path, split: Split, other: Path) -> Any:
    from reports.tables.as_csv import render as csv
    from reports.tables.markdown import render as markdown

    return [render([Run.load(folder)], metrics="mIoU,P@0.3") for render in (markdown, csv)]


def _scored_again(folder: Path, split: Split, other: Path) -> Any:
    return _numbers(score(folder, split, rules="clean", out=other))


def _scored_with_gaps(folder: Path, split: Split, other: Path) -> Any:
    return _numbers(score(folder, split, rules="clean", out=other, allow_missing=True))


def _numbers(found: Run) -> Any:
    content = content_of(found.path)
    return content["rows.jsonl"], content["summary.json"]


def _swept(folder: Path, split: Split, other: Path) -> Any:
    return sweep(folder, split, rules="clean", thresholds=[0.1, 0.5]).record()


def _gone_on(folder: Path, split: Split, other: Path) -> Any:
    return content_of(evaluate(Heats(), split, out=folder, settings=_KEPT).path)


_READERS: dict[str, Callable[[Path, Split, Path], Any]] = {
    "read": _read,
    "printed": _printed,
    "scored again": _scored_again,
    "scored with gaps": _scored_with_gaps,
    "swept": _swept,
    "gone on": _gone_on,
}


def _cut(whole: Path, file: str, percent: int, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(whole, to)
    content = (to / file).read_bytes()
    (to / file).write_bytes(content[: len(content) * percent // 100])
    return to


def _check(reader: str, file: str, percents: range, split: Split, run: Path, place: Path) -> None:
    read = _READERS[reader]
    wanted = read(shutil.copytree(run, place / "whole" / "run"), split, place / "other")
    for percent in percents:
        folder = _cut(run, file, percent, place / "run")
        shutil.rmtree(place / "other", ignore_errors=True)
        found, refused = _outcome(read, folder, split, place / "other")
        assert found == wanted or Path(file).name in refused, (percent, refused)
        assert "\n" not in refused
        assert not (refused and (place / "other").exists())


def _outcome(read: Callable[..., Any], *given: Any, **named: Any) -> tuple[Any, str]:
    """What came out, or why nothing did."""
    try:
        return read(*given, **named), ""
    except RisbenchError as error:
        return None, str(error)


@pytest.mark.parametrize("file", _FILES)
@pytest.mark.parametrize("reader", _READERS)
def test_a_file_that_was_cut_off_is_read_right_or_refused(reader: str, file: str, split: Split, run, tmp_path: Path):
    _check(reader, file, _SOME, split, run, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("file", _FILES)
@pytest.mark.parametrize("reader", _READERS)
def test_cut_off_anywhere_it_is_read_right_or_refused(reader: str, file: str, split: Split, run, tmp_path: Path):
    _check(reader, file, _ALL, split, run, tmp_path)


def test_lines_lost_at_a_line_s_end_are_refused(split: Split, run: Path, tmp_path: Path):
    """The one cut that leaves a file which looks whole."""
    for file in ("rows.jsonl", "masks.jsonl"):
        folder = shutil.copytree(run, tmp_path / file)
        lines = (folder / file).read_bytes().splitlines(keepends=True)
        (folder / file).write_bytes(b"".join(lines[:-1]))
        with pytest.raises(
            RisbenchError, match=rf"{file}: holds {len(lines) - 1} lines, the summary counts {len(lines)}"
        ):
            _read(folder, split, tmp_path)
    for read in (_scored_again, _scored_with_gaps):
        with pytest.raises(RisbenchError, match=r"masks\.jsonl: holds"):
            read(folder, split, tmp_path / "other")


def _merge_cut(shards: Path, file: str, percents: range, split: Split, place: Path) -> None:
    wanted = content_of(merge(shutil.copytree(shards, place / "whole"), split=split).path)
    for percent in percents:
        out = _cut(shards, f"shards/1-of-2/{file}", percent, place / "run")
        found, refused = _outcome(merge, out, split=split)
        if found is not None:
            assert content_of(found.path) == wanted, percent
        else:
            assert file in refused or "shards/1-of-2" in refused, (percent, refused)
            assert not (out / "summary.json").exists()


@pytest.mark.parametrize("file", _FILES[:-1])
def test_a_shard_that_was_cut_off_is_not_merged_wrongly(file: str, split: Split, shards: Path, tmp_path: Path):
    _merge_cut(shards, file, _SOME, split, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("file", _FILES[:-1])
def test_a_shard_cut_off_anywhere_is_not_merged_wrongly(file: str, split: Split, shards: Path, tmp_path: Path):
    _merge_cut(shards, file, _ALL, split, tmp_path)


@pytest.mark.parametrize("percents", [_SOME, pytest.param(_ALL, marks=pytest.mark.torture)])
def test_an_entry_of_the_board_that_was_cut_off_is_refused(run: Path, tmp_path: Path, percents: range):
    path = entries.write(entries.make_entry(Run.load(run), {"rows": "0", "masks": "1"}), tmp_path)
    whole = path.read_bytes()
    for percent in percents:
        path.write_bytes(whole[: len(whole) * percent // 100])
        with pytest.raises(RisbenchError, match=path.name):
            entries.read(path)
