"""Find the line of a method's code where an exception was raised, to show it without the whole traceback."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import TRACEBACK, RisbenchError

_OURS = Path(__file__).resolve().parent
_LIBRARIES = tuple(Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "purelib", "platlib"))
_RAISED = "raised while "
HINT = f"{TRACEBACK}=1 in the environment shows the whole traceback"


class EndedError(RuntimeError):
    """A method's code tried to end the program (such as by ``sys.exit``), or one of its workers died."""


class Watched:
    """A context that adds a note to any exception: what was being done, and on which line of the method's code.

    The exception itself is raised again, so that a caller in Python can handle or debug it. The command line prints it
    as one line.
    """

    def __init__(self, doing: str, whose: Any, *, refusals_too: bool = True) -> None:
        """Prepare the note.

        Args:
            doing: what is being done, such as "predicting refcoco_val/1/2".
            whose: the object or function whose code runs.
            refusals_too: also add the note to a `RisbenchError`, whose message already says what is wrong.
        """
        self._doing, self._whose, self._refusals_too = doing, whose, refusals_too

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and (self._refusals_too or not isinstance(error, RisbenchError)):
            frame = _frame(error, self._whose)
            place = "" if frame is None else f", at {_line(frame)}"
            note = f"{_RAISED}{self._doing}{place}"
            if _ends_the_program(error):
                # Raised again, it would end this program as if it had succeeded, or as if a pipe had been closed.
                ended = EndedError(_typed(error))
                ended.add_note(note)
                raise ended from error
            error.add_note(note)


def _ends_the_program(error: BaseException) -> bool:
    """Whether the command line would end because of an exception without reporting a fault; not for Ctrl-C."""
    if isinstance(error, BrokenPipeError) or type(error).__module__.partition(".")[0] == "click":
        return True
    return not isinstance(error, (Exception, KeyboardInterrupt))


def one_line(error: BaseException) -> str | None:
    """The line for an exception with a note of `Watched`; None for any other, which is a bug of this program."""
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith(_RAISED)]
    return f"{_typed(error)}; {notes[0]}; {HINT}" if notes else None


def described(error: BaseException, whose: Any = None) -> str:
    """An exception in one line: its type, its message, and the innermost line of somebody's code.

    Args:
        error: the caught exception.
        whose: the object or function whose code is meant. Without it, or if none of its lines is in the traceback, it
            is the innermost line that belongs neither to this program nor to an installed library.
    """
    is_syntax = isinstance(error, SyntaxError) and error.filename is not None
    frame = None if is_syntax else _frame(error, whose)  # such code never ran
    return _typed(error) if frame is None else f"{_typed(error)} ({_line(frame)})"


def _typed(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename is not None:
        # Its own message has the file's name without the folder, and its traceback ends in the import system.
        return f"{type(error).__name__}: {error.msg} ({error.filename}{f':{error.lineno}' if error.lineno else ''})"
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _line(frame: traceback.FrameSummary) -> str:
    return f"{frame.filename}:{frame.lineno} in {frame.name}"


def _frame(error: BaseException, whose: Any) -> traceback.FrameSummary | None:
    found = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen ")]
    frames = [(frame, Path(frame.filename).resolve()) for frame in reversed(found)]
    home = _home(whose)
    looks: list[Callable[[Path], bool]] = [
        lambda file: home is not None and (file == home or home in file.parents),
        lambda file: _OURS not in file.parents and not any(folder in file.parents for folder in _LIBRARIES),
        lambda file: _OURS not in file.parents,
    ]
    return next((frame for look in looks for frame, file in frames if look(file)), None)


def _home(whose: Any) -> Path | None:
    """The folder of the package, or the file of the module, that defines a function or an object's class."""
    if whose is None:
        return None
    module = getattr(whose, "__module__", None) or type(whose).__module__
    top = sys.modules.get(str(module).partition(".")[0])
    file = getattr(top, "__file__", None)
    if file is None or top is None or top.__name__ == "risbench":
        return None
    return Path(file).resolve().parent if hasattr(top, "__path__") else Path(file).resolve()
