"""The names of metrics: all common spellings are read, one canonical name is printed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from ..errors import UsageError
from ..plain import counted
from .metric import DEFAULT, DEFINITIONS, Definition, Metric

_SPELT = {
    name.lower(): one
    for one in DEFINITIONS.values()
    if not one.takes_level or one.level is not None
    for name in (one.kind, *one.aliases)
}
_WITH_LEVEL = {
    name.lower(): one for one in DEFINITIONS.values() if one.takes_level for name in (one.kind, *one.aliases)
}
_AT = re.compile(rf"({'|'.join(_WITH_LEVEL)})@(\d*\.?\d+)", re.IGNORECASE)


def definitions() -> Mapping[str, str]:
    """Each metric's definition by its name."""
    return {one.title: one.text for one in DEFINITIONS.values()}


def parse(text: str) -> Metric:
    """The metric of a name; case does not matter.

    Raises:
        UsageError: there is no such metric; the message has the nearest name.
    """
    name = text.strip()
    if definition := _SPELT.get(name.lower()):
        return Metric(definition.kind, definition.kind, definition.level)
    if match := _AT.fullmatch(name):
        return _at(_WITH_LEVEL[match[1].lower()], float(match[2]), text)
    known = {**{name: one.kind for name, one in _SPELT.items()}, **{name.lower(): name for name in DEFAULT}}
    near = difflib.get_close_matches(name.lower(), known, 1, 0.5)
    hint = f"did you mean '{known[near[0]]}'?" if near else f"there are {', '.join(definitions())}"
    raise UsageError(f"no metric named '{text}': {hint}")


def _at(definition: Definition, level: float, text: str) -> Metric:
    if not 0 <= level <= 1:
        raise UsageError(f"metric '{text}': k is an IoU between 0 and 1")
    plain = level == definition.level
    return Metric(definition.kind if plain else f"{definition.kind}@{level:g}", definition.kind, level)


def refuse_generalised(texts: str | None, without_mask: int, split: str, more: str = "") -> None:
    """Refuse the names gIoU and cIoU if some expressions have no true mask.

    gRefCOCO's gIoU and cIoU count predictions for expressions without a target; mIoU and oIoU leave them out here.

    Args:
        texts: the names as the user gave them.
        without_mask: the number of expressions without a true mask.
        split: the split's name.
        more: added to the end of the message.

    Raises:
        UsageError: gIoU or cIoU is named, and there are such expressions.
    """
    if not without_mask:
        return
    for text in (texts or "").split(","):
        if (name := text.strip()).lower() in ("giou", "ciou"):
            plain = _SPELT[name.lower()].kind
            number = counted(without_mask, f"expression of {split} has", f"expressions of {split} have")
            raise UsageError(
                f"--metrics {name}: {number} no true mask; gRefCOCO's {name} counts the predictions for them, which is "
                f"not measured here: use {plain}, which leaves them out{more}"
            )


def parse_all(texts: str | None) -> tuple[Metric, ...]:
    """A comma-separated list of metrics; None means the default ten."""
    return tuple(parse(text) for text in (texts.split(",") if texts is not None else DEFAULT))
