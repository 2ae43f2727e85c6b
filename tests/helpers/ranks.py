"""Two ranks of `torch.distributed` for a test, without starting Python and importing torch for each of them.

One process for all tests of a worker imports what a training needs, and forks two ranks for each program. A rank is a
process of its own: what a program patches, and the threads that it starts, end with it. A command under `torchrun` has
torch's own launcher and all that it tells the ranks, but for these being forked too.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from helpers.waiting import GUARD, wait_until

_TESTS = Path(__file__).parents[1]
_PATHS = os.pathsep.join(map(str, (_TESTS, _TESTS / "tris_model/train", _TESTS.parent)))


class RankOutcome(NamedTuple):
    """What a rank left: its code (negative: the signal that ended it), stdout and stderr."""

    code: int
    out: str
    err: str


class RankPairs:
    """Runs programs in two ranks each; a program knows ``rank``, ``where`` (a folder), ``torch`` and ``dist``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, program: str, folder: Path, strict: bool = False) -> list[RankOutcome]:
        """The outcome of either rank; ranks that hang are ended, and fail the test.

        Args:
            program: what each rank executes; both are joined by gloo before.
            folder: where they meet, and where what they print is kept.
            strict: a `FutureWarning`, and any warning of ``torch.nn.parallel``, is an error.
        """
        return self._ended([program, str(folder), strict], folder)

    def torchrun(self, words: list[str], folder: Path) -> RankOutcome:
        """The outcome of ``torchrun --standalone --nproc-per-node 2 -m risbench WORDS``, with both ranks' output."""
        return self._ended([words, str(folder), False], folder)[0]

    def _ended(self, request: list[object], folder: Path) -> list[RankOutcome]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        wait_until((folder / "codes.json").exists, "all ranks have ended", self._process)
        codes = json.loads((folder / "codes.json").read_text())
        printed = [
            [(folder / f"rank-{rank}.{name}").read_text() for name in ("out", "err")] for rank in range(len(codes))
        ]
        return [RankOutcome(code, *texts) for code, texts in zip(codes, printed, strict=True)]


@contextmanager
def rank_pairs() -> Iterator[RankPairs]:
    """The process that forks, ended afterwards with all that it started."""
    environment = os.environ | {"PYTHONPATH": _PATHS, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "helpers.ranks"]
    with subprocess.Popen(command, env=environment, stdin=-1, text=True, start_new_session=True) as process:
        try:
            yield RankPairs(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _rank(program: str | list[str], folder: str, strict: bool, rank: int) -> None:
    """In a forked process: run a program as one of two ranks, or a command line in both of them, and end."""
    code = 1
    try:
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{folder}/rank-{rank}.{name}", os.O_WRONLY | os.O_CREAT), number)
        signal.alarm(int(GUARD))  # a rank that waits for the other in vain
        import torch
        import torch.distributed as dist

        torch.set_num_threads(1)
        if strict:
            warnings.simplefilter("error", FutureWarning)
            warnings.filterwarnings("error", module=r"torch\.nn\.parallel")
        if not isinstance(program, str):
            _launch(program)
            code = 0
            return
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
        exec(program, {"rank": rank, "where": folder, "torch": torch, "dist": dist})
        dist.destroy_process_group()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _launch(words: list[str]) -> None:
    """What ``torchrun --standalone --nproc-per-node 2`` does."""
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    how = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=2, run_id=str(uuid.uuid4()), rdzv_backend="c10d",
        rdzv_endpoint="localhost:0", start_method="fork",
    )  # fmt: skip
    elastic_launch(how, _command)(words)


def _command(words: list[str]) -> None:
    from risbench.cli import main

    sys.argv = ["risbench", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{words} ended with {end.code}") from None


def _main() -> None:
    # The first is for any optimiser, the last two for the modules of tests and for their data.
    for name in ("torch._dynamo", "torch.nn.parallel", "tris_model.train.tris", "pytest", "helpers.joined"):
        importlib.import_module(name)
    for line in sys.stdin:
        program, folder, strict = json.loads(line)
        # Only a process without other threads may fork.
        assert threading.active_count() == 1
        numbers: list[int] = []
        count = 2 if isinstance(program, str) else 1
        for rank in range(count):
            numbers.append(os.fork())
            if numbers[-1] == 0:
                _rank(program, folder, strict, rank)
        codes: dict[int, Any] = {}
        while len(codes) < count:
            number, status = os.wait()
            codes[number] = os.waitstatus_to_exitcode(status)
            if codes[number] != 0:  # the other would wait for it
                for other in set(numbers) - set(codes):
                    os.kill(other, signal.SIGTERM)
        draft = Path(folder) / ".codes.json"
        draft.write_text(json.dumps([codes[number] for number in numbers]))
        draft.rename(Path(folder) / "codes.json")


if __name__ == "__main__":
    _main()
