"""One entry of the leaderboard: a method on a split, as measured here and as papers report it, checked key by key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import DataError, UsageError
from ..metrics.names import parse
from ..results import jsonlines
from ..results.folder import read_json
from ..results.run import Run
from .published import figures_of

SCHEMA = 1
_TEXT, _NUMBER, _WHOLE = (str,), (int, float), (int,)
_NONE = (type(None),)
# What stands where, and of which type; a dict describes an object, a tuple the types of a value.
_MEASURED: dict[str, Any] = {
    "metrics": (dict,),
    "count": _WHOLE,
    "rules": {"name": _TEXT, "text": _TEXT, "threshold": _NUMBER + _NONE},
    "texts": _TEXT,
    "refine": _TEXT,
    "card": (dict,),
    "arguments": (dict,),
    "entry_point": _TEXT + _NONE,
    "inputs": (list,),
    "counts": (dict,),
    "rows_sha256": _TEXT,
    "masks_sha256": _TEXT,
    "date": _TEXT,
    "commit": _TEXT + _NONE,
    "packages": (dict,),
    "hardware": {"system": _TEXT, "processor": _TEXT, "cores": _WHOLE, "gpu": _TEXT + _NONE},
    "device": _TEXT + _NONE,
    "cost": (dict, type(None)),
}
_INTERVAL = {"value": _NUMBER + _NONE, "low": _NUMBER + _NONE, "high": _NUMBER + _NONE, "count": _WHOLE}
_ENTRY: dict[str, Any] = {"schema": _WHOLE, "split": _TEXT, "method": _TEXT, "measured": _MEASURED, "reported": (list,)}
_FIGURE = {
    "metric": _TEXT,
    "value": _NUMBER,
    "source": _TEXT,
    "confidence": _TEXT,
    "supervision": _TEXT,
    "note": _TEXT + _NONE,
}
_MAY_LACK = ("refine",)  # where masks were not refined
_UNSAFE = re.compile(r"[^\w.+-]+")


def entry_of(run: Run, digests: Mapping[str, str], method: str | None = None) -> dict[str, Any]:
    """The entry of a run that was verified.

    Args:
        run: complete.
        digests: the SHA-256 of its ``rows`` and ``masks``, over the lines that were verified.
        method: another name for it; by default its own, with a control's texts.
    """
    header, last = run.header, run.header["provenance"][-1]
    refine = header.get("refine")
    name = method or "".join(
        [
            run.summary["method"],
            "" if header["texts"] == "given" else f"+{header['texts']}-texts",
            f"+{refine}" if refine else "",
        ]
    )
    split = header["split"]["name"]
    return {
        "schema": SCHEMA,
        "split": split,
        "method": name,
        "measured": {
            "metrics": run.summary["metrics"],
            "count": run.summary["count"],
            "rules": header["rules"],
            "texts": header["texts"],
            **({"refine": refine} if refine else {}),
            "card": header["method"]["card"],
            "arguments": header["arguments"],
            "entry_point": header["method"]["entry_point"],
            "inputs": header["split"]["sources"],
            "counts": header["split"]["counts"],
            "rows_sha256": digests["rows"],
            "masks_sha256": digests["masks"],
            "date": last["started"][:10],
            "commit": last["commit"],
            "packages": last["packages"],
            "hardware": last["machine"],
            "device": last.get("device"),
            "cost": _cost(run),
        },
        "reported": [
            {key: value for key, value in asdict(figure).items() if key not in ("method", "split")}
            for figure in figures_of(name, split)
        ],
    }


def check(entry: Any, where: str) -> dict[str, Any]:
    """The entry itself, if it is one.

    Raises:
        DataError: another schema, a key that is absent or unknown, or a value of the wrong type, by name.
    """
    if not isinstance(entry, dict):
        raise DataError(f"{where}: an entry is a JSON object, not {type(entry).__name__}")
    if entry.get("schema") != SCHEMA:
        raise DataError(f"{where}: schema {entry.get('schema')!r}; this version reads {SCHEMA}")
    _check(entry, _ENTRY, where, "")
    for name, number in entry["measured"]["metrics"].items():
        try:
            canonical = parse(name).name
        except UsageError as error:
            raise DataError(f"{where}: measured.metrics: {error}") from None
        if canonical != name:
            raise DataError(f"{where}: measured.metrics.{name}: write {canonical}")
        _check(number, _INTERVAL, where, f"measured.metrics.{name}.")
        for key in ("value", "low", "high"):
            if number[key] is not None and not 0 <= number[key] <= 1:
                raise DataError(f"{where}: measured.metrics.{name}.{key} is {number[key]}; figures are fractions")
        if (number["value"] is None) != (number["count"] == 0):
            raise DataError(f"{where}: measured.metrics.{name}: a figure over nothing, or none over something")
    for place, figure in enumerate(entry["reported"]):
        _check(figure, _FIGURE, where, f"reported[{place}].")
    return entry


def read(path: Path) -> dict[str, Any]:
    """A checked entry from its file, which must lie under its split's and method's name.

    Raises:
        DataError: it is none, or lies elsewhere.
    """
    entry = check(read_json(path), str(path))
    if (path.parent.name, path.name) != (entry["split"], file_name(entry["method"])):
        raise DataError(
            f"{path}: is of {entry['method']} on {entry['split']}, so it belongs to "
            f"{entry['split']}/{file_name(entry['method'])}"
        )
    return entry


def write(entry: Mapping[str, Any], board: Path) -> Path:
    """Write a checked entry to its place on a board and return that."""
    path = board / entry["split"] / file_name(entry["method"])
    check(entry, str(path))
    jsonlines.replace(path, json.dumps(entry, indent=2, ensure_ascii=False) + "\n")
    return path


def file_name(method: str) -> str:
    """The file of a method's entry."""
    return (_UNSAFE.sub("_", method).strip("._") or "method")[:100] + ".json"


def _cost(run: Run) -> dict[str, Any] | None:
    parts = run.cost()
    if not parts:
        return None
    seconds = sum(part["seconds"] for part in parts)
    largest = {
        key: max((part[key] for part in parts if part.get(key) is not None), default=None)
        for key in ("parameters", "peak_memory_bytes", "peak_gpu_memory_bytes")
    }
    images = sum(part["images"] for part in parts)
    return {"images_per_second": round(images / seconds, 3) if seconds else None, **largest}


def _check(value: Any, wanted: Mapping[str, Any], where: str, prefix: str) -> None:
    if not isinstance(value, dict):
        raise DataError(f"{where}: {prefix.rstrip('.')} is {type(value).__name__}, not an object")
    if unknown := [key for key in value if key not in wanted]:
        raise DataError(f"{where}: {prefix}{unknown[0]} is not part of an entry")
    for key, kinds in wanted.items():
        if key not in value:
            if key in _MAY_LACK:
                continue
            raise DataError(f"{where}: {prefix}{key} is absent")
        if isinstance(kinds, dict):
            _check(value[key], kinds, where, f"{prefix}{key}.")
        # By type, not isinstance: JSON's true is no number.
        elif type(value[key]) not in kinds:
            names = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
            raise DataError(f"{where}: {prefix}{key} is {type(value[key]).__name__}, not {names}")
