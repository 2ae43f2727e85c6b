"""Keys of recipes that have new names. A record lists them in ``RENAMED``: old name to new name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from risbench.errors import UsageError


def current(kind: type, table: Mapping[str, Any], what: str | None = None) -> dict[str, Any]:
    """A table of a recipe with the current names of its keys.

    Args:
        kind: the record class of the table.
        table: the table; its keys may have old names.
        what: the name of the table, for warnings on stderr; None for no warnings.

    Raises:
        UsageError: the table has a key under both names.
    """
    renamed: Mapping[str, str] = getattr(kind, "RENAMED", {})
    found: dict[str, Any] = {}
    for key, value in table.items():
        new = renamed.get(key, key)
        if new in found:
            old = next(old for old, name in renamed.items() if name == new)
            raise UsageError(f"{what or 'the recipe'} has both {new} and {old}, its old name; leave {old} out")
        if new != key and what is not None:
            line = f"warning: {what}.{key} is called {what}.{new} now; the old name will be removed"
            Console(stderr=True).print(line, highlight=False, soft_wrap=True, markup=False)
        found[new] = value
    return found


def current_text(kind: type, text: str) -> str:
    """The text of a stored recipe with the current names of keys; other texts are returned unchanged."""
    try:
        kept = json.loads(text)
    except ValueError:
        return text
    if not isinstance(kept, Mapping) or not set(kept) & set(getattr(kind, "RENAMED", {})):
        return text
    return json.dumps(current(kind, kept), sort_keys=True)
