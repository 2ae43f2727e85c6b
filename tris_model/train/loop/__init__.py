"""What every training loop here shares: the order of batches, the optimiser, the journal, and stopping and resuming.

The names below are the public ones. Each is imported when it is first used. A loop needs:

- ``torchrun``, ``rank``, ``world``, ``averaged``, ``mean_of``, ``any_rank``, ``gather``: processes that train as one;
- ``settle``: is the training in the folder finished, and by this recipe; ``Journal``: its log and its state;
- ``Ahead``, ``Photographs``: arrays and images that threads make before the step that needs them;
- ``interruptible`` and ``Stopped``: Ctrl-C ends a training after its step; ``bar``: progress on a terminal;
- ``clipped``, ``check_loss``, ``check_weights``: nothing that is not finite is kept;
- ``Best``, ``check_selection``: the weights that are best on a validation split; ``memory``: the peak so far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...doors import door

if TYPE_CHECKING:
    from .ahead import Ahead, Photographs
    from .best import Best, check_selection
    from .finished import settle
    from .finite import check_loss, check_weights, clipped
    from .journal import Journal, Stopped, bar, forget_peak, interruptible, memory
    from .ranks import any_rank, averaged, gather, mean_of, rank, torchrun, world

__all__ = [
    "Ahead",
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
    "torchrun",
    "world",
]

_HOMES = {
    "Ahead": "ahead",
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
    "torchrun": "ranks",
    "world": "ranks",
}

__getattr__, __dir__ = door(__name__, _HOMES)
