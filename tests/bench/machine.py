"""The description of a benchmark's machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path


def described() -> str:
    """Processor, cores, Python and the date."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """The fastest of some repeats: the one least disturbed by others on the machine."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def race(works: dict[str, Callable[[], object]], rounds: int = 9) -> dict[str, float]:
    """The fastest seconds of processor of each work, which take turns: other programs disturb all of them alike."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds + 1):  # the first also makes what is made once
        for name, work in works.items():
            start = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - start)
    return best
