"""Score images in one thread or in processes of their own, beside a method or alone; the rows are the same."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

from ..errors import RisbenchError, UsageError
from ..machine import process_context, processors

R = TypeVar("R")
WORTH = 20_000  # expressions from which `auto` takes processes: below it, starting them costs what they save
_MOST = 16
PRELOADED = ("risbench.running.evaluation", "risbench.scoring.predictions", "cv2", "pycocotools.mask", "scipy.sparse")


def workers_of(text: str) -> int | None:
    """``--workers``: a number, or None for ``auto``.

    Raises:
        UsageError: it is neither.
    """
    if text == "auto":
        return None
    if not text.isascii() or not text.isdigit() or int(text) > 1024:
        raise UsageError(f"--workers {text:.20}: give a number of processes (0 scores in a thread), or auto")
    return int(text)


def automatic(expressions: int, *, kept: int | None) -> int:
    """The number of processes that ``auto`` takes; 0 is a thread.

    Args:
        expressions: to be scored.
        kept: processors that other work of this process needs; None for all, as a method that computes on them does.
    """
    spare = 0 if kept is None else processors() - kept
    return min(_MOST, spare) if spare > 1 and expressions >= WORTH else 0


class Workers(Generic[R]):
    """Calls ``work`` for one task after another, in a thread or in processes; used in a ``with`` block.

    Attributes:
        count: number of processes; 0 for a thread.
    """

    def __init__(self, work: Callable[..., R], count: int, *, alone: bool = False) -> None:
        """Prepare.

        Args:
            work: called with each task's arguments; for processes it, its arguments and its result must be picklable.
            count: number of processes; 0 does the work in one thread of this process.
            alone: whether nothing else computes meanwhile; then a thread would only wait for this one and the other way
                round, so that 0 does the work where it is submitted.
        """
        self.count = count
        self._work = work
        self._threads = 0
        self._pool = (
            ProcessPoolExecutor(count, process_context(PRELOADED), _begin)
            if count
            else None
            if alone
            else ThreadPoolExecutor(1, "score")
        )

    def __enter__(self) -> Workers[R]:
        if self._pool is None:
            # A mask is too small to share: OpenCV's threads cost processor time and gain nothing.
            self._threads = _opencv().getNumThreads()
            _opencv().setNumThreads(1)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=kind is not None)
        else:
            _opencv().setNumThreads(self._threads)

    def submit(self, *task: Any) -> Future[R]:
        """Begin a task; ask `result` for what it gave."""
        if self._pool is not None:
            return self._pool.submit(self._work, *task)
        done: Future[R] = Future()
        done.set_result(self._work(*task))
        return done

    def in_order(self, tasks: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """What each task gives, in the order of the tasks; a few are worked on ahead."""
        pending: deque[Future[R]] = deque()
        for task in tasks:
            pending.append(self.submit(*task))
            if len(pending) > 2 * self.count + 1:
                yield self.result(pending.popleft())
        while pending:
            yield self.result(pending.popleft())

    @staticmethod
    def result(task: Future[R]) -> R:
        """What a task gave; it raises what the task raised.

        Raises:
            RisbenchError: its process was ended from outside.
        """
        try:
            return task.result()
        except BrokenProcessPool:
            raise RisbenchError(
                "a process that scored was ended from outside (is memory short?); the same command goes on, "
                "and --workers 0 needs none"
            ) from None


def _begin() -> None:
    """Leave Ctrl-C to the process that began this one, and other processors to its neighbours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _opencv().setNumThreads(1)


def _opencv() -> Any:
    # Imported here, so that the program starts fast.
    import cv2

    return cv2
