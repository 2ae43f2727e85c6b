"""How the processes begin that share work on the CPU."""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

# What every one of them needs, and what takes seconds to import.
PRELOADED = ("tris_model.train.pseudo",)


def beginning() -> Any:
    """The context of new processes. None is a copy of this one, whose CUDA and threads would be undefined in it.

    On Linux they are forked by a process that has imported torch and computes nothing: each begins in milliseconds,
    and they share the memory of what was imported. Elsewhere every process imports it for itself, because libraries of
    other systems do not stand a fork.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context
