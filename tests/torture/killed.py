"""``killed.py DATA OUT STEP [run|merge|score]``: the same work, killed at every STEP-th thing it does to the disk, then
done again in the same folder. Prints in how many places it died.

A program of its own, because only a process without threads may fork. Opening, renaming, removing and making are heard
of by Python's audit; between two of them at most one file has grown.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from made_up.methods import Heats

from risbench import Settings, evaluate, load_split, merge, score

_HEARD = ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.rmdir", "shutil.copytree")


def _child(work: Callable[[Path], object], out: Path, at: int, pipe: int) -> None:
    heard = 0

    def hear(event: str, given: tuple[object, ...]) -> None:
        nonlocal heard
        if event in _HEARD and str(out) in str(given[0]):
            heard += 1
            if heard == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)
    work(out)
    os.write(pipe, str(heard).encode())
    os._exit(0)


def _forked(work: Callable[[Path], object], out: Path, at: int = 0) -> tuple[bool, int]:
    """Whether it died, and how many things it did if it did not."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        _child(work, out, at, write_end)
    os.close(write_end)
    events = os.read(read_end, 20)
    os.close(read_end)
    status = os.waitpid(child, 0)[1]
    if not events and not os.WIFSIGNALED(status):
        raise RuntimeError(f"{out}: failed with {status}")
    return os.WIFSIGNALED(status), int(events or 0)


def main(data: Path, out: Path, step: int, kind: str) -> int:
    split = load_split("refcoco_val", data)

    def run(place: Path) -> object:
        return evaluate(Heats(), split, out=place, settings=Settings(save_heat=True))

    def merged(place: Path) -> object:
        for number in range(2):
            if not (place / "shards" / f"{number}-of-2" / "summary.json").exists():
                evaluate(Heats(), split, out=place, shard=(number, 2), settings=Settings(save_heat=True))
        return merge(place, split=split)

    def scored(place: Path) -> object:
        return score(out / "brought", split, rules="clean", out=place)

    if kind == "score":
        run(out / "brought")
    work = {"run": run, "merge": merged, "score": scored}[kind]
    _, count = _forked(work, out / "whole")
    died = 0
    for at in range(1, count + 1, step):
        place = out / f"{at:04d}"
        died += _forked(work, place, at)[0]
        _forked(work, place)
    return died


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
