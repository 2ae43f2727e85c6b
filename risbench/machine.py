"""What this process may use of its machine."""

from __future__ import annotations

import os


def processors() -> int:
    """How many processors this process may use; fewer than the machine has where a scheduler or taskset says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
