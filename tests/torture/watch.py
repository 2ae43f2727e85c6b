"""What is watched while a stranger's file is read: memory asked for, time taken, and anything done but reading."""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from risbench.errors import RisbenchError

SECONDS = 5.0
BYTES = 1 << 30  # a picture of the most pixels that are read takes three quarters of it
_ACTS = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "subprocess.Popen", "os.remove",
    "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.chown", "os.link", "os.symlink", "os.putenv",
    "os.startfile", "shutil.", "socket.", "ctypes.dlopen", "pty.spawn", "webbrowser.open", "compile", "exec", "import",
    "cpython.run_", "code.__new__", "function.__new__", "sys.addaudithook", "sys.settrace", "tempfile.",
)  # fmt: skip


class Watch:
    """Calls readers, and keeps what they did wrong."""

    def __init__(self) -> None:
        self.on = False
        self.acts: list[str] = []
        self.does: tuple[str, ...] = ()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if not self.on or event in self.does:
            return
        if (event.startswith(_ACTS) and not _is_own(event, given)) or (event == "open" and _writes(given)):
            self.on = False  # what follows from it is of no interest
            self.acts.append(f"{event}{given!r:.200}")
            self.on = True

    def warm(self, read: Callable[[Path], Any], path: Path) -> None:
        """Read a file that is known, so that everything is imported that reading needs."""
        with suppress(RisbenchError):
            read(path)

    def fault_of(
        self, read: Callable[[Path], Any], path: Path, does: tuple[str, ...] = (), reserves: bool = False
    ) -> str | None:
        """None if the file is read or refused in one line as it should be; else what went wrong."""
        kind = "VmHWM:" if reserves else "VmPeak:"
        before, start = _peak(kind), time.process_time()
        self.does = does
        self.acts.clear()
        self.on = True
        asked_for_much = False
        fault = None
        try:
            read(path)
        except RisbenchError as error:
            asked_for_much = _holds(error, MemoryError)
            text = str(error)
            if "\n" in text or len(text) > 1500 + len(str(path)):
                fault = f"a message of {len(text)} characters, {text.count(chr(10))} line breaks: {_where(error)}"
        except Exception as error:  # all that is looked for
            asked_for_much = isinstance(error, MemoryError)
            fault = f"{type(error).__name__}: {error!s:.150}: {_where(error)}"
        finally:
            self.on = False
        taken = time.process_time() - start
        if self.acts:
            return f"acted: {self.acts[0]}"
        if fault is not None:
            return fault
        if asked_for_much or _peak(kind) - before > BYTES:
            gc.collect()
            return f"asked for much memory ({_peak(kind) - before >> 20} MiB more than ever)"
        return f"took {taken:.1f} s" if taken > SECONDS else None


def hold_memory(more: int = 6 << 30) -> None:
    """Let this process ask for so much more at most, whatever the machine has."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + more, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _is_own(event: str, given: tuple[Any, ...]) -> bool:
    """A library's own module, imported late: no file could have named it."""
    if event == "import":
        return given[0].startswith(("encodings.", "numpy.", "PIL.", "torch.", "_"))
    if event == "exec":
        return getattr(given[0], "co_filename", "<").startswith((sys.prefix, sys.base_prefix, "<frozen"))
    return event == "compile" and str(given[1]).startswith((sys.prefix, sys.base_prefix))


def _writes(given: tuple[Any, ...]) -> bool:
    mode, flags = given[1], given[2]
    if mode is not None:
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _peak(kind: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) << 10
    return 0


def _holds(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__context__
    return False


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if {"risbench", "tris_model", "reports"} & set(Path(frame.filename).parts)]
    frame = (own or frames)[-1]
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"
