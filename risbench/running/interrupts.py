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

STOPPED = "stopped; the same command goes on"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_requested(on_request: Callable[[], object], grace: float = 0.0) -> Iterator[Callable[[], bool]]:
    """Listens for a wish to stop while a block runs.

    Args:
        say: called at the first wish, to tell the user that it was heard.
        deaf: seconds after the first wish in which another one is taken for the same.

    Yields:
        Whether somebody asked to stop. Signals reach only a process's main thread: in another it stays false.

    Raises:
        KeyboardInterrupt: somebody asked a second time.
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

    found = {number: signal.getsignal(number) for number in _SIGNALS}
    if threading.current_thread() is not threading.main_thread():
        found = {}
    # None is a handler that was not set from Python and could not be put back.
    before = {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, handle)
        yield requested.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
    if threading.current_thread() is not threading.main_thread():
        usual = {}
    before = {number: handler for number, handler in usual.items() if signal.getsignal(number) is handler}
    try:
        for number in before:
            signal.signal(number, end)
        yield came.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
