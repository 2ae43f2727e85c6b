"""Code that all training loops share: the order of batches, the optimiser, the journal, stopping and resuming.

The names below are the public ones. Each is imported when it is first used. A loop needs:

- ``torchrun``, ``rank``, ``world``, ``averaged``, ``mean_of``, ``any_rank``, ``gather``: several processes;
- ``settle``: whether a folder holds a finished training by this recipe; ``settle_head``: likewise of many files;
- ``Journal``: a training's log and state; ``share``: divides many files among ranks and processes;
- ``Ahead``, ``Photographs``: arrays and images that threads prepare before the step that needs them;
- ``BatchOrder``: which refs a step reads, and which sentence of each;
- ``interruptible`` and ``Stopped``: Ctrl-C ends a training after the current step; ``bar``: a progress bar;
- ``clipped``, ``check_loss``, ``check_weights``: gradient clipping, and refusal of values that are not finite;
- ``Best``, ``check_selection``: selection of the best weights on a validation split; ``memory``: peak memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...doors import door

if TYPE_CHECKING:
    from .ahead import Ahead, Photographs
    from .best import Best, check_selection
    from .finished import settle, settle_head
    from .finite import check_loss, check_weights, clipped
    from .journal import Journal, Stopped, bar, forget_peak, interruptible, memory
    from .order import Batch, BatchOrder
    from .ranks import any_rank, averaged, gather, mean_of, rank, torchrun, world
    from .sharing import share

__all__ = [
    "Ahead",
    "Batch",
    "BatchOrder",
    "Best",
    "Journal",
    "Photographs",
    "Stopped",
    "any_rank",
    "averaged",
    "bar",
    "check_loss",
    "check_selection",
    "check_weights",
    "clipped",
    "forget_peak",
    "gather",
    "interruptible",
    "mean_of",
    "memory",
    "rank",
    "settle",
    "settle_head",
    "share",
    "torchrun",
    "world",
]

_HOMES = {
    "Ahead": "ahead",
    "Batch": "order",
    "BatchOrder": "order",
    "Best": "best",
    "Journal": "journal",
    "Photographs": "ahead",
    "Stopped": "journal",
    "any_rank": "ranks",
    "averaged": "ranks",
    "bar": "journal",
    "check_loss": "finite",
    "check_selection": "best",
    "check_weights": "finite",
    "clipped": "finite",
    "forget_peak": "journal",
    "gather": "ranks",
    "interruptible": "journal",
    "mean_of": "ranks",
    "memory": "journal",
    "rank": "ranks",
    "settle": "finished",
    "settle_head": "finished",
    "share": "sharing",
    "torchrun": "ranks",
    "world": "ranks",
}

__getattr__, __dir__ = door(__name__, _HOMES)
