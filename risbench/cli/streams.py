"""Standard output and error that accept every text, and signals that end a command cleanly.

The encoding of a stream may lack a character. A stream may be closed, or be a file on a full disk. None of this may
lose work: missing characters are written in ASCII, and what cannot be written to standard error is dropped.
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

# Characters beyond ASCII that the program itself prints, and typography that is common in names and texts.
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
    """Make the standard streams accept every character; replace a closed stream by the null device."""
    codecs.register_error(READABLE, _readable)
    codecs.register_error(ESCAPED, _escaped)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, as by the shell's `>&-`; a file opened later must not take its number
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=READABLE)


def write(text: str, stream: TextIO, errors: str = READABLE) -> None:
    """Write a line; ``errors`` names the handler for characters that the stream's encoding lacks."""
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
    """Write a line to standard error; if that fails, the work continues without the line.

    Raises:
        BrokenPipeError: the reader of a pipe closed it.
    """
    try:
        write(text, sys.stderr)
    except BrokenPipeError:
        raise
    except OSError:
        silence(sys.stderr)


def silence(*streams: TextIO) -> None:
    """Redirect streams to the null device, so that Python does not write their buffers again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show the program's own warnings as one line each, without the place in the code."""
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
    """Turn SIGTERM and SIGHUP into `SystemExit`, so that half-written files are removed.

    The exit code is the one that a shell reports for a process killed by the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process = os.getpid()

    def end(number: int, _: FrameType | None) -> None:
        if os.getpid() != process:  # a forked worker has nothing to clean up
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
    """A codec's error handler: the nearest ASCII, else the character's code."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    piece = error.object[error.start : error.end]
    return "".join(_ASCII.get(letter) or _code(letter) for letter in piece), error.end


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """A codec's error handler: characters as JSON escapes them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_code, error.object[error.start : error.end])), error.end


def _code(letter: str) -> str:
    number = ord(letter)
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
