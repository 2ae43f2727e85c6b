"""When two runs are the same run: the parts of their headers that must be equal, and how to report a difference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..metrics.rules.protocols import identity_of
from ..plain import plain

SCORED_ANEW = "give another --out, or the same command to continue it"
RUN_ANEW = f"{SCORED_ANEW}, or --overwrite to replace the run"
# The keys that must be equal for a run to be continued; the others say how and where the run was made.
# `refine` and `chosen` are absent from old headers, which is the same as null.
IDENTITY = (
    "schema",
    "method",
    "arguments",
    "texts",
    "refine",
    "rules",
    "split",
    "truth",
    "limit",
    "shard",
    "chosen",
    "save_heat",
)


def refuse_another(path: Path, old: Any, new: Mapping[str, Any], way_out: str = RUN_ANEW) -> None:
    """Refuse to mix two runs.

    Args:
        path: the run's folder.
        old: the header in it.
        new: that of the run about to be made.
        way_out: what the user can do.

    Raises:
        UsageError: the folder holds another run; the message has the first difference.
    """
    if not isinstance(old, dict):
        raise UsageError(f"{path / 'header.json'} is not a run's header; give another --out")
    old, new = _by_weights(old, new)
    for key in IDENTITY:
        if not same(key, old.get(key), new.get(key)):
            raise UsageError(f"{path} holds another run: {_difference(key, old.get(key), new.get(key))}; {way_out}")


def _by_weights(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The headers; if their cards have the same hash of weights, both get the second one's path of weights."""
    hashes = [_at(header, "method", "card", "weights") for header in (old, new)]
    if hashes[0] is None or hashes[0] != hashes[1] or not isinstance(old.get("arguments"), dict):
        return old, new
    if "weights" not in new["arguments"]:  # a method that was given as an object
        return old, new
    return {**old, "arguments": {**old["arguments"], "weights": _at(new, "arguments", "weights")}}, new


def _at(header: Any, *keys: str) -> Any:
    for key in keys:
        header = header.get(key) if isinstance(header, Mapping) else None
    return header


def same(key: str, one: Any, other: Any) -> bool:
    """Whether two headers agree in one key of `IDENTITY`; the text of rules does not count."""
    if key == "rules" and isinstance(one, dict) and isinstance(other, dict):
        return identity_of(one) == identity_of(other)
    return one == other


def _difference(key: str, old: Any, new: Any) -> str:
    """The first place where two values of a header differ, in words."""
    if isinstance(old, dict) and isinstance(new, dict):
        for inner in dict.fromkeys([*old, *new]):
            # The wording of rules is not a difference.
            if old.get(inner) != new.get(inner) and (key, inner) != ("rules", "text"):
                return _difference(f"{key}.{inner}", old.get(inner), new.get(inner))
    return f"its {key} is {_short(old)}, this command's is {_short(new)}"


def _short(value: Any) -> str:
    text = plain(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 80 else text[:77] + "..."
