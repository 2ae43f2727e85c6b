"""Entry points: what is installed under a group's name, and how to load one of them."""

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
    """The entry points of a group by name, sorted; of two with one name the first found is meant."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, point)
    return dict(sorted(found.items()))


def load(group: str, name: str) -> Any:
    """What an entry point names.

    Raises:
        UsageError: nothing of this name is installed, with the nearest names.
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
    except BaseException as error:  # whatever a stranger's module raises while it is imported, also what ends a program
        raise RisbenchError(f"'{name}' ({known[name].value}) cannot be imported: {described(error)}") from error


def refuse_absent(group: str, name: str) -> Mapping[str, EntryPoint]:
    """What is installed in a group, if a name is among it; nothing is imported, so a mistyped name costs no time.

    Raises:
        UsageError: nothing of that name, with the near ones.
    """
    known = installed(group)
    if name not in known:
        noun = group.rpartition(".")[2].removesuffix("s")
        raise UsageError(f"no {noun} named '{name}': {near(name, known)}")
    return known


def near(name: str, known: Iterable[str]) -> str:
    """The end of an error text: what may have been meant, else all there are."""
    names = list(known)
    close = difflib.get_close_matches(name, names, 3, 0.5)
    if close:
        return "did you mean " + " or ".join(f"'{item}'" for item in close) + "?"
    return "there are " + ", ".join(names) if names else "none are installed"
