"""Find the runs that a user names: run folders, folders that contain run folders, and ``last``, ``last:2``.

A shell's ``*`` may name other files too; they are skipped with a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..errors import DataError, UsageError
from ..io.plainfiles import real
from ..plain import counted, plain
from ..results.folder import HEADER, MASKS, ROWS, SUMMARY
from ..results.past import past_runs
from ..results.run import Run
from . import show

RUNS = Path("runs")  # where a run without --out is written, and where ``last`` is looked for

_PICTURES = (".png", ".jpg", ".jpeg", ".pdf", ".svg", ".html", ".htm")
_TABLES = (".md", ".tex", ".csv", ".json", ".txt", ".toml", ".parquet")
_DEPTH = 3  # runs lie in runs/<split>/<method>/<time>
_MOST = 3  # named in one line
LOG = "log.jsonl"  # of each stage of a training
_LAST = re.compile(r"last(?::(\d{1,6}))?")


class RunPath(click.Path):
    """An argument that is a path, or ``last`` or ``last:N``: the newest complete run below ./runs, or the N-th newest.

    A file or folder of that name is taken before any run. The folder that was chosen is printed on stderr.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; see the class."""
        text = os.fspath(value)
        match = _LAST.fullmatch(text) if isinstance(text, str) else None
        if match is None or os.path.lexists(text):
            return super().convert(value, param, ctx)
        return _last(int(match[1] or 1))


def name_of_last(number: int) -> str:
    """The name of the N-th newest complete run."""
    return "last" if number == 1 else f"last:{number}"


def _last(number: int) -> Path:
    """The folder of the N-th newest complete run.

    Raises:
        UsageError: there are fewer complete runs below ./runs.
    """
    found = past_runs(RUNS)
    complete = [run for run in found if run.state == "complete"]
    name = name_of_last(number)
    if not 1 <= number <= len(complete):
        there = counted(len(complete), "complete run is", "complete runs are") if complete else "no complete run is"
        raise UsageError(f"{name}: {there} below ./{RUNS} here; `risbench runs --in FOLDER` looks elsewhere")
    run = complete[number - 1]
    show.say(f"{name} is {run.path} ({plain(run.method, 60)} on {plain(run.split, 60)}, rules {plain(run.rules, 30)})")
    if number == 1 and found[0] is not run:
        show.say(f"a newer run is not complete, so it is not `last`: {found[0].path}")
    return run.path


def runs_in(paths: Sequence[Path]) -> list[Run]:
    """The runs that paths name.

    A folder that contains runs means all of them. Paths that are not runs are skipped with a message on stderr, if
    other paths are runs, as with ``runs/*``.

    Raises:
        UsageError: no path names a run; the message says what the paths are.
        DataError: a path does not exist, or a run is unfinished or broken.
    """
    folders: list[Path] = []
    others: list[str] = []
    beside: list[str] = []
    for path in paths:
        if (path / HEADER).is_file() or any((path / name).is_file() for name in (ROWS, SUMMARY, MASKS)):
            folders.append(path)  # a broken one is refused when it is read
        elif inside := _inside(path, beside):
            show.say(f"{path} contains {len(inside)} run{'s' if len(inside) > 1 else ''}: all are used")
            folders += inside
        elif not path.exists() and not path.is_symlink():
            raise DataError(f"{path} is not a run folder: it does not exist")
        else:
            others.append(f"{path} is {kind_of(path)}")
    if others:
        if not folders:
            raise UsageError(
                f"no run is given: {_listed(others)}: give run folders, as `risbench run --out` makes them"
            )
        show.say(f"skipped, because it is not a run: {_listed(others)}")
    if beside:
        show.say(f"skipped, because it is not a run: {_listed(beside)}")
    # A run that is named twice, as in `runs runs/one`, or through a link, is used once.
    once: dict[Path, Path] = {}
    for folder in folders:
        once.setdefault(real(folder), folder)
    return [Run.load(folder) for folder in once.values()]


def kind_of(path: Path) -> str:
    """What a path is, in a few words, if it is not a run."""
    if path.is_file():
        suffix = path.suffix.lower()
        if suffix in _PICTURES:
            return "a picture or page"
        if path.suffix == ".jsonl":
            return "a file of lines (a training's log is read by `report --as curves`)"
        return "a table or text" if suffix in _TABLES else "a file"
    if not path.is_dir():
        return "neither a file nor a folder"
    if (path / LOG).is_file() or (path / "starts.jsonl").is_file() or (path / "recipe.json").is_file():
        return "a training's folder (`report --as curves` draws it)"
    if (path / "shards").is_dir():
        return f"a folder of shards (`risbench merge {path}` makes the run)"
    if not any(path.iterdir()):
        return "an empty folder"
    if not _inside(path) and _logs_below(path):
        return "a folder of trainings (`report --as curves` draws them)"
    return "a folder whose runs are all unfinished" if _inside(path) else "a folder without runs"


def logs_in(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The logs of trainings among some paths, and the other paths.

    A training is named by its ``log.jsonl`` or by its folder, which has one log for each stage. A folder that contains
    runs is no training, whatever lies beside them.
    """
    logs: list[Path] = []
    others: list[Path] = []
    for path in paths:
        if path.suffix == ".jsonl" and not path.is_dir():
            logs.append(path)
        elif path.is_dir() and not (path / HEADER).is_file() and not _inside(path) and (found := _logs_below(path)):
            logs += found
        else:
            others.append(path)
    return logs, others


def _logs_below(path: Path, depth: int = _DEPTH) -> list[Path]:
    """The logs in a folder and in the folders below it, sorted; links are not followed."""
    found = [path / LOG] if (path / LOG).is_file() else []
    if depth:
        for folder in sorted(item for item in path.iterdir() if item.is_dir() and not item.is_symlink()):
            found += _logs_below(folder, depth - 1)
    return found


def _inside(path: Path, beside: list[str] | None = None, depth: int = _DEPTH) -> list[Path]:
    """The run folders below a folder, sorted. Run folders are not searched, and links are not followed.

    Args:
        path: the folder.
        beside: takes what lies beside runs and is none, in words.
        depth: how many folders below each other are searched.
    """
    if depth == 0 or not path.is_dir():
        return []
    found: list[Path] = []
    others: list[str] = []
    for item in sorted(path.iterdir()):
        if item.name.startswith(".") or item.is_symlink():
            continue
        if item.is_dir() and (item / HEADER).is_file():
            # An unfinished run that nobody named is skipped; one that was named is refused when it is read.
            if beside is None or (item / SUMMARY).is_file():
                found.append(item)
            else:
                others.append(f"{item} is an unfinished run")
        elif item.is_dir() and item.name != "shards" and (inside := _inside(item, beside, depth - 1)):
            found += inside
        else:
            others.append(f"{item} is {kind_of(item)}")
    if found and beside is not None:
        beside += others
    return found


def _listed(others: Sequence[str]) -> str:
    """Some of the things that are no runs, in words."""
    return "; ".join(others[:_MOST]) + (f"; and {len(others) - _MOST} more" if len(others) > _MOST else "")
