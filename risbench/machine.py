"""What this process may use of its machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any


def processors() -> int:
    """How many processors this process may use; fewer than the machine has where a scheduler or taskset says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_context(preloaded: Sequence[str]) -> Any:
    """How new processes begin. None is a copy of this one, whose CUDA and threads would be undefined in it.

    On Linux they are forked by a process that has imported some modules and computes nothing: each begins in
    milliseconds, and they share the memory of what was imported. Elsewhere every process imports it for itself, because
    libraries of other systems do not stand a fork.

    Args:
        preloaded: modules that every process needs.
    """
    import multiprocessing

    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preloaded))
    return context
