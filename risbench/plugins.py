"""Entry points: the installed plug-ins of each group, and how to load one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
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
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, point)
    return dict(sorted(found.items()))


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
