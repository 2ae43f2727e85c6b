"""How the processes begin that share work on the CPU."""

from __future__ import annotations

from typing import Any

from risbench.machine import process_context

# What every one of them needs, and what takes seconds to import.
PRELOADED = ("tris_model.train.pseudo",)


def beginning() -> Any:
    """The context of new processes; see `risbench.machine.process_context`."""
    return process_context(PRELOADED)
