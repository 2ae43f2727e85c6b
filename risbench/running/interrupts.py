"""Ctrl-C and SIGTERM end long work after the step under work, and a second one at once.

A signal that was ignored when the process began stays ignored, as Unix tools do: a shell starts background jobs of a
script, and `nohup` its command, so that a Ctrl-C meant for something else does not end them. SIGTERM (`kill`, a
scheduler that takes the machine away) reaches them all the same.
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
def asked_to_stop(say: Callable[[], object], deaf: float = 0.0) -> Iterator[Callable[[], bool]]:
    """Listens for a wish to stop while a block runs.

    Args:
        say: called at the first wish, to tell the user that it was heard.
        deaf: seconds after the first wish in which another one is taken for the same.

    Yields:
        Whether somebody asked to stop. Signals reach only a process's main thread: in another it stays false.

    Raises:
        KeyboardInterrupt: somebody asked a second time.
    """
    asked = threading.Event()
    first = 0.0

    def hear(*_: object) -> None:
        nonlocal first
        if asked.is_set():
            if time.monotonic() - first < deaf:
                return
            raise KeyboardInterrupt
        first = time.monotonic()
        asked.set()
        say()

    # None is a handler that was not set from Python and could not be put back.
    with _handled(hear, lambda _, handler: handler not in (signal.SIG_IGN, None)):
        yield asked.is_set


@contextmanager
def ended_by_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends a block by KeyboardInterrupt, and SIGTERM too, which else ends the process without a word.

    Yields:
        Whether one of them came: code that is not Python's may make another exception of a KeyboardInterrupt.
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
