"""Ctrl-C and SIGTERM end long work after the current step; a second one ends it at once.

A signal that was ignored when the process began stays ignored, as in other Unix tools: shells and `nohup` start
background jobs this way, so that a Ctrl-C for another program does not end them. SIGTERM, which `kill` and schedulers
send, still reaches them.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STOPPED = "stopped; the same command goes on"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_requested(on_request: Callable[[], object], grace: float = 0.0) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM inside a block into a request to stop.

    Args:
        on_request: called at the first signal, to inform the user.
        grace: seconds after the first signal in which a second one counts as the same request.

    Yields:
        A function that returns whether a stop was requested. Outside a process's main thread, which alone gets signals,
        it always returns False.

    Raises:
        KeyboardInterrupt: a second signal came.
    """
    requested = threading.Event()
    first = 0.0

    def handle(*_: object) -> None:
        nonlocal first
        if requested.is_set():
            if time.monotonic() - first < grace:
                return
            raise KeyboardInterrupt
        first = time.monotonic()
        requested.set()
        on_request()

    # None is a handler that was not set from Python and could not be put back.
    with _handled(handle, lambda _, handler: handler not in (signal.SIG_IGN, None)):
        yield requested.is_set


@contextmanager
def ended_by_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM end a block by KeyboardInterrupt, as Ctrl-C does; otherwise it ends the process without a message.

    Yields:
        A function that returns whether one of the two signals came. It is needed, because code in other languages may
        turn a KeyboardInterrupt into another exception.
    """
    came = threading.Event()

    def end(*_: object) -> None:
        came.set()
        raise KeyboardInterrupt

    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    with _handled(end, lambda number, handler: handler is usual[number]):
        yield came.is_set


@contextmanager
def _handled(handle: Callable[..., None], replaces: Callable[[signal.Signals, Any], bool]) -> Iterator[None]:
    """Handles both signals while a block runs; what handled them before is put back.

    Args:
        handle: the handler. Signals reach only a process's main thread: in another it is never called.
        replaces: whether it takes the place of a signal's handler.
    """
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    if threading.current_thread() is not threading.main_thread():
        found = {}
    before = {number: handler for number, handler in found.items() if replaces(number, handler)}
    try:
        for number in before:
            signal.signal(number, handle)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
