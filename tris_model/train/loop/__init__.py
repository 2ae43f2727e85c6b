"""What every training loop here shares: the order of batches, the optimiser, the journal, and stopping and resuming.

The names below are the public ones. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...doors import door

if TYPE_CHECKING:
    from .finished import settle
    from .journal import Journal, Stopped, interruptible

__all__ = [
    "Journal",
    "Stopped",
    "interruptible",
    "settle",
]

_HOMES = {
    "Journal": "journal",
    "Stopped": "journal",
    "interruptible": "journal",
    "settle": "finished",
}

__getattr__, __dir__ = door(__name__, _HOMES)
