"""Entry points: the installed plug-ins of each group, and how to load one."""

from __future__ import annotations

import difflib
import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from .errors import RisbenchError, UsageError
from .faults import described

METHODS = "risbench.methods"
TRAINERS = "risbench.trainers"
REPORTS = "risbench.reports"
BOARDS = "risbench.boards"
PICTURES = "risbench.pictures"
WEIGHTS = "risbench.weights"
REFINERS = "risbench.refiners"


def installed(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name, sorted; if two have the same name, the first one found is used."""
    return dict(_installed(entry_points, group, _places()))


@lru_cache(64)
def _installed(read: Callable[..., Iterable[EntryPoint]], group: str, _: object) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in read(group=group):
        found.setdefault(point.name, point)
    return dict(sorted(found.items()))


def _places() -> tuple[tuple[str, int], ...]:
    """Where Python looks for packages, with the time of each folder's last change.

    What was installed or removed since the last reading is found: it changed the time of its folder. Reading takes
    milliseconds with every package, and a command asks some twenty times.
    """
    return tuple((place, _changed(place)) for place in sys.path)


def _changed(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return -1


def load(group: str, name: str) -> Any:
    """Load the object of an entry point.

    Raises:
        UsageError: no entry point of this name is installed; the message has the nearest names.
        RisbenchError: it is installed but cannot be imported.
    """
    known = refuse_absent(group, name)
    try:
        return known[name].load()
    except ImportError as error:
        raise RisbenchError(f"'{name}' ({known[name].value}) cannot be imported: {error}") from error
    except AttributeError as error:
        raise RisbenchError(f"'{name}' ({known[name].value}) does not exist: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # any exception during the import of a third-party module, even SystemExit
        raise RisbenchError(f"'{name}' ({known[name].value}) cannot be imported: {described(error)}") from error


@contextmanager
def importing() -> Iterator[None]:
    """While large libraries are imported, nothing is searched for garbage; torch's import takes a tenth less.

    An import makes a million objects that all stay.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def refuse_absent(group: str, name: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group, after a check that a name is one of them. Nothing is imported, so this is fast.

    Raises:
        UsageError: no entry point of this name is installed; the message has the nearest names.
    """
    known = installed(group)
    if name not in known:
        noun = group.rpartition(".")[2].removesuffix("s")
        raise UsageError(f"no {noun} named '{name}': {near(name, known)}")
    return known


def near(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the most similar names, or all names if none is similar."""
    names = list(known)
    close = difflib.get_close_matches(name, names, 3, 0.5)
    if close:
        return "did you mean " + " or ".join(f"'{item}'" for item in close) + "?"
    return "there are " + ", ".join(names) if names else "none are installed"
