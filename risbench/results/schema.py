"""The keys and types of the JSON files of a run, because other people's runs are read too.

A dict describes an object by its keys; `Maybe` marks a key that may be absent. A list with one item describes a list of
such items. `Each` describes an object with any keys. A tuple lists the types of a value. Types are exact: JSON's true
is not a number, and neither is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from .rows import ANSWER_COUNTS, TRUTH_COUNTS

TEXT, WHOLE, NUMBER, YES, LIST, ANY = (str,), (int,), (int, float), (bool,), (list,), (dict,)
NONE = (type(None),)
_MOST = 1 << 63  # a larger integer is no count of anything


@dataclass(frozen=True, slots=True)
class Each:
    """An object with any keys, whose values all have the same description."""

    of: Any


@dataclass(frozen=True, slots=True)
class Maybe:
    """A key that may be absent."""

    of: Any


RULES = {"name": TEXT, "text": TEXT, "threshold": NUMBER + NONE, "version": Maybe(WHOLE)}
INTERVAL = {"value": NUMBER + NONE, "low": NUMBER + NONE, "high": NUMBER + NONE, "count": WHOLE}
MACHINE = {"system": TEXT, "processor": TEXT, "cores": WHOLE + NONE, "gpu": TEXT + NONE}
COUNTS = dict.fromkeys(("images", "refs", "expressions"), WHOLE + NONE)
SOURCE = {"file": TEXT, "folder": Maybe(TEXT), "sha256": TEXT}
HEADER = {
    "schema": WHOLE,
    "method": {"name": TEXT, "entry_point": TEXT + NONE, "card": ANY},
    "arguments": {"given": Maybe(ANY), "defaulted": Maybe(ANY)},
    "texts": TEXT,
    "refine": Maybe(TEXT + NONE),
    "rules": RULES,
    "split": {
        "name": TEXT,
        "counts": COUNTS,
        "expected": COUNTS,
        "partial": YES,
        "sources": [SOURCE],
    },
    "partial": YES,
    "limit": WHOLE + NONE,
    "shard": LIST + NONE,
    "save_heat": TEXT + NONE,
    "data_root": TEXT,
    "origin": Maybe(ANY + NONE),
    "provenance": [
        {
            "started": TEXT,
            "commit": TEXT + NONE,
            "packages": ANY,
            "machine": MACHINE,
            "device": Maybe(TEXT + NONE),
            "cautions": Maybe([TEXT]),
        }
    ],
}
SUMMARY = {
    "schema": WHOLE,
    "method": TEXT,
    "split": TEXT,
    "rules": RULES,
    "texts": TEXT,
    "count": WHOLE,
    "missing": WHOLE,
    "partial": YES,
    "metrics": Each(INTERVAL),
    **dict.fromkeys((*TRUTH_COUNTS, *ANSWER_COUNTS), Maybe(WHOLE)),
}
COST = [
    {
        "images": WHOLE,
        "expressions": WHOLE,
        "seconds": NUMBER,
        "peak_memory_bytes": WHOLE + NONE,
        "peak_gpu_memory_bytes": WHOLE + NONE,
        "parameters": WHOLE + NONE,
    }
]


def check(value: Any, wanted: Any, where: str, place: str = "", *, closed: str | None = None) -> None:
    """Refuse a value that does not fit its description.

    Args:
        value: as read from a JSON file.
        wanted: its description.
        where: the file, for the message.
        place: the path of the value in the file, for the message.
        closed: if given, unknown keys are refused (except inside lists), and this names the object in the message.

    Raises:
        DataError: a key is absent or unknown, or a value has the wrong type; the key is named.
    """
    if isinstance(wanted, tuple):
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


def check_metrics(metrics: Mapping[str, Any], where: str, place: str) -> None:
    """Refuse metrics whose values or bounds are not fractions, or whose value and count contradict each other.

    Raises:
        DataError: the metric that is wrong.
    """
    for name, number in metrics.items():
        for key in ("value", "low", "high"):
            if number[key] is not None and not 0 <= number[key] <= 1:
                raise DataError(f"{where}: {place}.{name:.80}.{key} is {number[key]!s:.40}; figures are fractions")
        if (number["value"] is None) != (number["count"] == 0):
            raise DataError(
                f"{where}: {place}.{name:.80}: its value must be null if its count is 0, and a number otherwise"
            )
