"""How long each network trained, by the clock, over all calls of a command that goes on where it was stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_FILE = "minutes.json"


@contextmanager
def timed(folder: Path) -> Iterator[None]:
    """Add the time of the block to what the trainings of a folder took, also if the block is stopped."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        took = minutes_of(folder) + (time.perf_counter() - begun) / 60
        (folder / _FILE).write_text(json.dumps({"minutes": round(took, 2)}) + "\n", encoding="utf-8")


def minutes_of(folder: Path) -> float:
    """Minutes that a folder's training took so far; 0 if nobody timed it."""
    file = folder / _FILE
    return float(json.loads(file.read_text(encoding="utf-8"))["minutes"]) if file.is_file() else 0.0


def minutes_sentence(minutes: Mapping[str, float]) -> str:
    """A sentence about all trainings together.

    Args:
        minutes: by trainer.
    """
    parts = ", ".join(f"{name} {took:.0f}" for name, took in sorted(minutes.items()) if took)
    return f"Minutes by the clock: {parts}; together {sum(minutes.values()) / 60:.1f} hours." if parts else ""
