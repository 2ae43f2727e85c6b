"""Describe JSON values, and check values against a description, because other people's runs are read, too.

A dict describes an object by its keys; `Maybe` marks a key that may be absent. A list of one description describes a
list. `Each` describes an object with any keys, `Nullable` a value that may be null, and a tuple the types of a value.
Types are exact: JSON's true is not a number, and neither is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DataError

TEXT, WHOLE, NUMBER, YES, LIST, ANY = (str,), (int,), (int, float), (bool,), (list,), (dict,)
NONE = (type(None),)
_MOST = 1 << 63  # larger whole numbers count nothing


@dataclass(frozen=True, slots=True)
class Each:
    """An object whose values all have the same description."""

    of: Any


@dataclass(frozen=True, slots=True)
class Maybe:
    """A key that may be absent."""

    of: Any


@dataclass(frozen=True, slots=True)
class Nullable:
    """An object or list that may be null; for other values, their types include null."""

    of: Any


def check(value: Any, wanted: Any, where: str, place: str = "", *, closed: str | None = None) -> None:
    """Raise an error unless a value fits its description.

    Args:
        value: a value from a JSON file.
        wanted: the description.
        where: the file, for the message.
        place: the place of the value in the file.
        closed: if given, keys that are not described are refused (except inside lists); it names the object, in words.

    Raises:
        DataError: a key is absent (or unknown), or a value has the wrong type; it is named.
    """
    if isinstance(wanted, Nullable):
        if value is not None:
            check(value, wanted.of, where, place, closed=closed)
    elif isinstance(wanted, tuple):
        odd = not math.isfinite(value) if type(value) is float else type(value) is int and abs(value) > _MOST
        if type(value) not in wanted or odd:
            names = " or ".join("null" if kind is type(None) else kind.__name__ for kind in wanted)
            raise DataError(f"{where}: {place} is {_kind(value)}, not {names}")
    elif isinstance(wanted, list):
        if not isinstance(value, list):
            raise DataError(f"{where}: {place} is {_kind(value)}, not a list")
        for number, item in enumerate(value):
            check(item, wanted[0], where, f"{place}[{number}]")
    elif not isinstance(value, Mapping):
        raise DataError(f"{where}: {place or 'it'} is {_kind(value)}, not an object")
    elif isinstance(wanted, Each):
        for key, item in value.items():
            check(item, wanted.of, where, f"{place}.{key:.80}", closed=closed)
    else:
        prefix = f"{place}." if place else ""
        if closed is not None and (unknown := [key for key in value if key not in wanted]):
            raise DataError(f"{where}: {prefix}{unknown[0]:.80} is not part of {closed}")
        for key, inner in wanted.items():
            if key in value:
                known = inner.of if isinstance(inner, Maybe) else inner
                check(value[key], known, where, f"{prefix}{key}", closed=closed)
            elif not isinstance(inner, Maybe):
                raise DataError(f"{where}: {prefix}{key} is absent")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    is_odd = type(value) is float or (type(value) is int and abs(value) > _MOST)
    return f"{value!s:.30}" if is_odd else type(value).__name__
