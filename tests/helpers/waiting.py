"""Tests wait for conditions, never for a time: they hold on a machine under any load."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

# Seconds after which something is taken for hung. It is no measure of speed: nothing that works comes near to it.
GUARD = 600.0


def wait_until(condition: Callable[[], object], what: str, process: subprocess.Popen[Any] | None = None) -> None:
    """Look again and again until a condition holds.

    Args:
        condition: what must become true.
        what: its description, for the failure.
        process: who brings it about; if it ends before, the wait is over.

    Raises:
        AssertionError: the process ended without it, or `GUARD` seconds went by.
    """
    end = time.monotonic() + GUARD
    while not condition():
        if process is not None and process.poll() is not None and not condition():
            raise AssertionError(f"the process ended with {process.returncode} before this: {what}")
        if time.monotonic() > end:
            raise AssertionError(f"not within {GUARD:.0f} seconds: {what}")
        time.sleep(0.005)
