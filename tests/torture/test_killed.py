"""Work that is killed at any of its steps, or at any moment, ends the second time as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.folders import content_of, names_in
from helpers.small import write_small

import risbench

_PLACES = (Path(__file__).parents[1], Path(risbench.__file__).parents[1])
_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, _PLACES)), "OMP_NUM_THREADS": "1"}
_MAIN = "from risbench.cli import main; main()"


def _killed(place: Path, images: int, step: int, kind: str) -> int:
    write_small(place / "data", images)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "killed.py"), "data", "out", str(step), kind],
        cwd=place,
        env={**_ENVIRONMENT, "RISBENCH_CACHE": str(place / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    whole = content_of(place / "out" / "whole")
    for folder in sorted((place / "out").glob("0*")):
        assert content_of(folder) == whole, folder.name
        # The cost of what was killed may be lost; nothing half-written may stay.
        assert not [name for name in names_in(folder) if name.endswith(".part")], folder.name
    return int(done.stdout)


def test_a_kill_at_some_steps_changes_nothing(tmp_path: Path):
    assert _killed(tmp_path, 2, 11, "run") >= 2


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["run", "merge", "score"])
def test_a_kill_at_every_step_changes_nothing(tmp_path: Path, kind: str):
    assert _killed(tmp_path, 6, 1, kind) >= 20


@pytest.mark.torture
@pytest.mark.parametrize("more", [(), ("--save-heat",), ("--batch", "3"), ("--shard", "0/2")], ids=str)
def test_fifty_kills_at_random_moments_change_nothing(tmp_path: Path, more: tuple[str, ...]):
    write_small(tmp_path / "data", 40)
    words = ["run", "--method", "random_point", "--split", "refcoco_val", "--data-root", "data", *more]

    def start(out: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", _MAIN, *words, "--out", out],
            cwd=tmp_path,
            env=_ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    clock = time.monotonic()
    assert start("whole").wait() == 0
    longest, chance, died = time.monotonic() - clock, random.Random(0), 0
    for _ in range(50):
        with start("killed") as process:
            time.sleep(chance.uniform(0.3, 1.05) * longest)
            process.kill()
            killed = process.wait() == -signal.SIGKILL
        died += killed
        if not killed:  # it came to its end, in which no later one would have any work; the next are killed earlier
            longest *= 0.8
            shutil.rmtree(tmp_path / "killed")
    assert start("killed").wait() == 0
    below = "shards/0-of-2" if "--shard" in more else "."
    assert content_of(tmp_path / "killed" / below) == content_of(tmp_path / "whole" / below)
    assert died >= 10


@pytest.mark.parametrize("rounds", [1, pytest.param(15, marks=pytest.mark.torture)])
def test_of_two_processes_that_write_to_one_folder_one_is_refused_or_comes_after(tmp_path: Path, rounds: int):
    write_small(tmp_path / "data", 6)
    words = ["run", "--method", "centre", "--split", "refcoco_val", "--data-root", "data", "--out"]
    for turn in range(rounds):
        pair = [
            subprocess.Popen(
                [sys.executable, "-c", _MAIN, *words, f"both-{turn}"],
                cwd=tmp_path,
                # Both index the split, too, and neither may see half of the other's index.
                env={**_ENVIRONMENT, "RISBENCH_CACHE": str(tmp_path / f"cache-{turn}")},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        result = [process.communicate()[1] for process in pair]
        codes = sorted(process.returncode for process in pair)
        assert codes in ([0, 0], [0, 1]), result
        refused = "another process is writing to this folder; give another --out"
        assert codes == [0, 0] or any(refused in text for text in result)
        assert not any("Traceback" in text for text in result)
        if turn == 0:
            subprocess.run([sys.executable, "-c", _MAIN, *words, "alone"], cwd=tmp_path, env=_ENVIRONMENT, check=True)
        assert content_of(tmp_path / f"both-{turn}") == content_of(tmp_path / "alone")
