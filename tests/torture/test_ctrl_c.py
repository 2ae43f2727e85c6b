"""Ctrl-C to a whole ``torchrun``, as a terminal sends it: all processes end, nothing is half-written, and the same
command ends with the weights of a training that nobody cut.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.waiting import GUARD, wait_until

import risbench

TOP = Path(risbench.__file__).parents[1]
sys.path[:0] = [str(TOP / "tests/tris_model"), str(TOP / "tests/tris_model/train")]

from helpers.joined import made  # noqa: E402 # pyright: ignore[reportMissingImports]

GOES_ON = "the same command goes on"
MARK = "RISBENCH_TEST_MARK"  # in the environment of all that a test starts
pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc to look for orphans in")


class Training:
    """A training of two processes in a folder of its own."""

    def __init__(self, place: Path, out: str, *options: str) -> None:
        self.out = place / out
        self.log = place / f"{out}.log"
        self._mark = f"{place.name}-{out}"
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend=c10d"]
        command += ["--rdzv-endpoint=localhost:0", "-m", "risbench", "train", "tris", "--recipe", "recipe.toml"]
        command += ["--data-root", "data", "--device", "cpu", "--out", out, *options]
        environment = {**os.environ, "PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1", MARK: self._mark}
        environment["RISBENCH_CACHE"] = str(place / "cache")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=place, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def ends(self) -> int:
        """The code at its end, which comes when the last of its processes has ended."""
        code = self.process.wait(GUARD)
        wait_until(lambda: not self.left(), "the end of the processes that torchrun left behind")
        return code

    def ctrl_c(self, workers: bool = False) -> None:
        """To the group of torchrun, and, as older ones have it, to its workers at the same time."""
        os.killpg(self.process.pid, signal.SIGINT)
        for number in self.left() if workers else ():
            if number != self.process.pid:
                os.kill(number, signal.SIGINT)

    def left(self) -> list[int]:
        """The numbers of its processes that are alive."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                alive = (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
                if alive and f"{MARK}={self._mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:  # it ended meanwhile, or belongs to somebody else
                continue
        return found

    def kill(self) -> None:
        """What a failed test leaves."""
        for number in self.left():
            os.kill(number, signal.SIGKILL)
        self.process.wait()

    def text(self) -> str:
        return self.log.read_text()

    def steps(self, stage: str) -> int:
        path = self.out / stage / "log.jsonl"
        return path.read_text().count("\n") if path.exists() else 0


def _weights(out: Path) -> dict[str, bytes]:
    kinds = (".safetensors", ".png", ".npz", ".npy")
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.suffix in kinds}


def _finished(place: Path, out: str, *options: str) -> None:
    training = Training(place, out, *options)
    try:
        assert training.ends() == 0, training.text()
    finally:
        training.kill()


def _cut(place: Path, at: Callable[[Training], object], *options: str, twice: bool = False) -> str:
    """Start, send Ctrl-C at a moment, look at what is left, and go on; what the cut training said."""
    shutil.rmtree(place / "cut", ignore_errors=True)
    cut = Training(place, "cut", *options)
    try:
        wait_until(lambda: at(cut) or cut.process.poll() is not None, "the moment of Ctrl-C")
        ended = cut.process.poll() is not None
        if not ended:
            cut.ctrl_c()
        if twice and not ended:
            cut.ctrl_c(workers=True)
        code = cut.ends()
    finally:
        cut.kill()
    result = cut.text()
    assert not list(cut.out.rglob("*.part")), result
    if code:
        ours = [line for line in result.splitlines() if line.startswith("risbench: ")]
        assert len(ours) == 1, result
        assert ours[0].endswith(GOES_ON), result
        # torchrun shows the lines that led to its own signal; a process of ours shows none.
        assert "risbench/cli" not in result, result
        assert "forcefully exiting" not in result, result  # torchrun's word for a process that hung
    _finished(place, "cut", *options)
    assert _weights(place / "cut") == _weights(place / "whole")
    return result


@pytest.mark.torture  # the torchrun of the other rank tests is enough for every day
def test_a_ctrl_c_to_torchrun_ends_all_processes_and_the_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    made(tmp_path)
    options = ("--stage", "1", "--set", "stage1.epochs=8", "--set", "val=none")
    _finished(tmp_path, "whole", *options)
    result = _cut(tmp_path, lambda training: training.steps("stage1") >= 2, *options)
    assert result.count("stopping after this step") <= 1  # none, if it was at its end before it heard


def _printed(word: str) -> Callable[[Training], bool]:
    return lambda training: word in training.text()


def _there(path: str) -> Callable[[Training], bool]:
    return lambda training: any(training.out.glob(path))


def _step(stage: str, number: int) -> Callable[[Training], bool]:
    return lambda training: training.steps(stage) >= number


MOMENTS = {
    "start": _printed("folder:"),
    "record": _there("recipe.json"),
    "journal": _there("stage1/starts.jsonl"),
    "first step": _step("stage1", 1),
    "middle": _step("stage1", 6),
    "last step": _step("stage1", 12),
    "weights": _there("stage1.safetensors*"),
    "maps": _there("maps/head.json"),
    "pseudo masks": _there("pseudo/head.json"),
    "irn": _step("pseudo", 1),
    "walk": _there("pseudo/masks/*.png"),
    "stage 2": _there("stage2/starts.jsonl"),
    "middle of stage 2": _step("stage2", 4),
    "weights of stage 2": _there("stage2.safetensors*"),
    "scores": _there("scores"),
}


@pytest.mark.torture
def test_a_ctrl_c_at_any_moment_changes_nothing(tmp_path: Path) -> None:
    made(tmp_path)
    options = ("--set", "stage1.epochs=4", "--set", "stage2.epochs=3", "--set", "stage2.batch=2")
    _finished(tmp_path, "whole", *options)
    for moment in MOMENTS.values():
        _cut(tmp_path, moment, *options)
    for name in ("record", "middle", "weights", "irn"):
        _cut(tmp_path, MOMENTS[name], *options, twice=True)
