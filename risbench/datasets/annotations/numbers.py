"""Whole numbers in all the forms that tools write."""

from __future__ import annotations

import re
from typing import Any

_WHOLE = re.compile(r"[+-]?\d{1,18}(?:\.0*)?", re.ASCII)


def whole_number(value: Any) -> int | None:
    """The whole number of a value in any of the forms 40, 40.0, "40"; None for any other value, also for bools."""
    if type(value) is int:
        return value
    if type(value) is float:
        return int(value) if value.is_integer() else None
    if type(value) is str and _WHOLE.fullmatch(value.strip()):
        return int(value.strip().partition(".")[0])
    return None
