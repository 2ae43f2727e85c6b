"""Divide independent pieces of work among ranks, and on the CPU among processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import torch

from ...processes import beginning
from .journal import Stopped, bar, interruptible
from .ranks import any_rank, rank, world

P = TypeVar("P")


def share(title: str, work: Callable[[Sequence[P]], object], pieces: Sequence[Sequence[P]], processes: int) -> None:
    """Do all pieces, and return when all ranks have finished.

    Args:
        title: of the progress bar.
        work: does one piece. For several processes it must be picklable, and write files completely or not at all.
        pieces: the pieces, the same on all ranks; every rank takes its share.
        processes: number of processes of this rank; with 1 the work is done in this process.

    Raises:
        Stopped: after Ctrl-C or SIGTERM; started pieces were finished.
    """
    mine = pieces[rank() :: world()]
    done, stop = 0, False
    with bar(title, len(mine), 0, rank() == 0) as on_progress, interruptible() as stopping:
        if processes < 2 or len(mine) < 2:
            for done, piece in enumerate(mine, start=1):
                work(piece)
                on_progress(done, "")
                if stop := stopping():
                    break
        else:
            with ProcessPoolExecutor(processes, beginning(), _alone) as pool:
                running = [pool.submit(work, piece) for piece in mine]
                for done, one in enumerate(as_completed(running), start=1):
                    stop = stopping()
                    if stop or one.exception() is not None:
                        pool.shutdown(cancel_futures=True)
                    try:
                        one.result()
                    except BrokenProcessPool:  # a scheduler's SIGTERM reaches the processes of the pool as well
                        stop = stop or stopping()
                        if not stop:
                            raise
                        done -= 1
                        break
                    on_progress(done, "")
                    if stop:
                        break
    if any_rank(stop):
        raise Stopped(f"{title}: stopped after {done} of {len(mine)} pieces; the same command goes on")


def _alone() -> None:
    """Set up a worker process: one thread, and Ctrl-C is ignored, because the parent handles it."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
