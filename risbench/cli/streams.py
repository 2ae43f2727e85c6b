"""Standard output and error that take whatever is written to them, and signals that end a command cleanly.

A stream may have an encoding that lacks a letter, be closed, or lie on a full disk. None of this may lose work: a
letter that an encoding lacks is written in ASCII, and what cannot be written to standard error is dropped.
"""

from __future__ import annotations

import codecs
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType, MappingProxyType
from typing import Any, TextIO

from ..errors import DataWarning
from ..plain import visible

READABLE = "risbench.readable"
ESCAPED = "risbench.escaped"

# What the program itself prints beyond ASCII, and typography that is common in names and texts.
_ASCII: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys("–—‐‑−", "-"),
        **dict.fromkeys("‘’‚“”„", "'"),
        "…": "...",
        "±": "+/-",
        "×": "x",
        "·": ".",
        "≥": ">=",
        "≤": "<=",
        "≈": "~",
        "→": "->",
        "†": "+",
        "‡": "++",
        "\u00a0": " ",
        "\u202f": " ",
    }
)


def prepare() -> None:
    """Make the standard streams take every letter, and give a closed one a place to write to."""
    codecs.register_error(READABLE, _readable)
    codecs.register_error(ESCAPED, _escaped)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, as by the shell's `>&-`; a file opened later must not take its number
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=READABLE)


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream takes every letter."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def write(text: str, stream: TextIO, errors: str = READABLE) -> None:
    """Write a line; ``errors`` says what becomes of letters that the stream's encoding lacks."""
    if errors == READABLE or not hasattr(stream, "reconfigure"):
        stream.write(text + "\n")
        stream.flush()
        return
    stream.reconfigure(errors=errors)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        stream.write(text + "\n")
        stream.flush()
    finally:
        stream.reconfigure(errors=READABLE)  # pyright: ignore[reportAttributeAccessIssue]


def write_error(text: str) -> None:
    """Write a line to standard error; where that cannot be written to, the work goes on without it.

    Raises:
        BrokenPipeError: the reader of a pipe has gone.
    """
    try:
        write(text, sys.stderr)
    except BrokenPipeError:
        raise
    except OSError:
        silence(sys.stderr)


def silence(*streams: TextIO) -> None:
    """Send to nowhere what is left in the buffers, so that it is not tried again at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show the program's own warnings as one line each, without a place in the code."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, DataWarning):
                write_error(f"caution: {visible(str(message))}")
            else:
                shown(message, category, *place, **more)

        warnings.showwarning = show
        yield


@contextmanager
def ending_cleanly() -> Iterator[None]:
    """Let a request to end (SIGTERM, SIGHUP) unwind the command, so that half-written files are taken away.

    The exit code is the one that a shell reports of a process that the signal killed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process = os.getpid()

    def end(number: int, _: FrameType | None) -> None:
        if os.getpid() != process:  # a worker that was forked has nothing to clean
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise SystemExit(128 + number)

    # A signal that the parent ignores (nohup) stays ignored.
    handled = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _readable(error: UnicodeError) -> tuple[str, int]:
    """A codec's error handler: the nearest ASCII, else the letter's code."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    piece = error.object[error.start : error.end]
    return "".join(_ASCII.get(letter) or _code(letter) for letter in piece), error.end


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """A codec's error handler: the codes of letters, as JSON writes them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_code, error.object[error.start : error.end])), error.end


def _code(letter: str) -> str:
    number = ord(letter)
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
