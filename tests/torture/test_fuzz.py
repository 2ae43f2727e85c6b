"""Whatever a stranger's file holds, it is read or refused in one line: no crash, no wait, no memory, nothing done.

A few hundred files of every kind are read in every test run, two hundred thousand by ``make torture``. A file that was
found wrong is made again by ``python tests/torture/replay.py FOLDER TARGET NUMBER``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import targets
from hypothesis import given, settings
from hypothesis import strategies as st

import risbench

_WEIGHTS = ("pth", "safetensors", "torchscript", "torchscript-data", "pth-data", "module", "module-data", "recipe")
_STALLED = 120  # seconds of the clock, on a machine that has other work
_COUNT = int(os.environ.get("RISBENCH_TORTURE", "200000"))
# Weights take twenty times as long as all else, and torch reads them.
_SHARE = dict.fromkeys(targets.NAMES, _COUNT * 92 // 100 // len(targets.NAMES) + 1)
_SHARE.update(dict.fromkeys(_WEIGHTS, _COUNT // 100))


def fuzz(folder: Path, first: int, last: int, *names: str) -> list[dict[str, Any]]:
    """What a worker found; a worker that dies or stalls is a finding, and another goes on behind its file."""
    found: list[dict[str, Any]] = []
    folder.mkdir(exist_ok=True)
    (folder / "now").unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(risbench.__file__).parents[1]),
        "RISBENCH_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    words = [sys.executable, str(Path(__file__).parent / "fuzz.py"), str(folder), str(first), str(last), *names]
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(words, env=environment, stdout=log, stderr=subprocess.STDOUT)
        while worker.poll() is None:
            time.sleep(0.05)
            now = folder / "now"
            if now.exists() and time.time() - now.stat().st_mtime > _STALLED:
                worker.kill()
        if worker.returncode:
            at = (folder / "now").read_text().split() if (folder / "now").exists() else [names[0], "-1"]
            result = (folder / "log").read_text(errors="replace")[-1500:]
            found.append({"target": at[0], "number": int(at[1]), "fault": f"ended with {worker.returncode}: {result}"})
            if first <= int(at[1]) < last:
                rest = names[names.index(at[0]) + 1 :]
                found += fuzz(folder, int(at[1]) + 1, last, at[0])
                found += fuzz(folder, first, last, *rest) if rest else []
    if (folder / "found.jsonl").exists() and not found:
        found = [json.loads(line) for line in (folder / "found.jsonl").read_text().splitlines()]
    return found


@pytest.mark.parametrize(
    ("names", "count"),
    [(targets.NAMES, 30), (("pth", "safetensors", "torchscript-data", "module", "module-data", "recipe"), 6)],
    ids=["data", "weights"],
)
def test_a_file_that_is_nearly_right_is_read_or_refused(tmp_path: Path, names: tuple[str, ...], count: int):
    assert fuzz(tmp_path / "fuzz", 0, count, *names) == []
    assert (tmp_path / "fuzz" / "done").read_text().splitlines() == [f"{name} {count}" for name in names]


@pytest.mark.torture
@pytest.mark.parametrize("name", _SHARE)
def test_thousands_of_files_that_are_nearly_right_are_read_or_refused(tmp_path: Path, name: str):
    # Other numbers than those of every test run.
    assert fuzz(tmp_path / "fuzz", 1000, 1000 + _SHARE[name], name) == []
    done = (tmp_path / "fuzz" / "done").read_text()
    assert done == f"{name} {_SHARE[name]}\n"


def test_the_torture_run_reads_two_hundred_thousand_files():
    assert sum(_SHARE.values()) >= _COUNT


def test_what_is_watched_for_would_be_found(tmp_path: Path):
    code = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; import watch; watch.SECONDS = 0.2; watch.hold_memory()\n"
        "def crash(p): [][1]\n"
        "def act(p): __import__('os').mkdir(p / 'made')\n"
        "def ask(p): np.zeros(1 << 31, np.uint8)\n"
        "def wait(p):\n import time\n end = time.process_time() + 0.3\n while time.process_time() < end: pass\n"
        "def talk(p):\n from risbench import DataError\n raise DataError('x' * 9999)\n"
        "seen = watch.Watch()\n"
        "for read in (crash, act, ask, wait, talk, print): print('FOUND', seen.fault_of(read, Path(sys.argv[2])))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(risbench.__file__).parents[1])},
    )
    result = [line.removeprefix("FOUND ") for line in done.stdout.splitlines() if line.startswith("FOUND")]
    wanted = ["IndexError", "acted: os.mkdir", "asked for much", "took 0.3", "a message of 9999 char", "None"]
    assert [line[: len(start)] for line, start in zip(result, wanted, strict=True)] == wanted


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


class Made(dict[str, tuple[targets.Target, Path]]):
    """The targets of JSON, told short."""

    def __repr__(self) -> str:
        return f"<{len(self)} targets>"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    kinds = [one for one in targets.targets(folder, targets.NAMES) if one.write is not None]
    return Made({one.name: (one, folder / one.place) for one in kinds})


def _read_any(made: Made, value: Any, place: int) -> None:
    messages: list[str] = []
    for target, path in made.values():
        assert target.write is not None
        whole = target.values[0]
        if isinstance(whole, dict) and whole:
            whole = {**whole, list(whole)[place % len(whole)]: value}
        elif isinstance(whole, list) and whole:
            whole = (
                [*whole[:-1], value]
                if not isinstance(whole[-1], dict)
                else [*whole[:-1], {**whole[-1], list(whole[-1])[place % len(whole[-1])]: value}]
            )
        for content in (target.write(whole), target.write([value])):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            try:
                target.read(path)
            except risbench.RisbenchError as error:
                messages.append(str(error))
    assert not any("\n" in text for text in messages)


@settings(max_examples=15)
@given(value=_JSON, place=st.integers(0, 20))
def test_any_value_at_any_key_of_a_json_file_is_read_or_refused(made: Made, value: Any, place: int):
    _read_any(made, value, place)


@pytest.mark.torture
@settings(max_examples=2000)
@given(value=_JSON, place=st.integers(0, 20))
def test_thousands_of_values_at_any_key_of_a_json_file_are_read_or_refused(made: Made, value: Any, place: int):
    _read_any(made, value, place)
