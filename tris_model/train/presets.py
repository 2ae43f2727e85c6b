"""The authors' settings of stage 1 at different times. A recipe selects one with ``preset``; its own keys override it.

The table of differences is in ``tris_model/README.md``. It is unknown which settings made the released weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from risbench.errors import UsageError
from risbench.plugins import near

_GROUPS = {"heads": 5e-5, "backbone": 5e-6, "temperature": 0.0}

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # The paper: K = 6, lambda = 5 on the classification. It does not mention the other weights, a clamp or
        # parameter groups, so they are as in the code, or 1.
        "paper": {
            "negatives": 6,
            "weights": {"classification": 5.0, "positive": 1.0, "negative": 1.0, "clamped": True},
            "rates": _GROUPS,
        },
        "release-2023-09": {
            "negatives": 6,
            "weights": {"classification": 5.0, "positive": 2.0, "negative": 1.0, "clamped": False},
            "rates": _GROUPS,
        },
        # 2023-09-23 to 2023-12-29: the grouping raised an error that was caught, so all parameters had one rate.
        "autumn-2023": {
            "negatives": 6,
            "weights": {"classification": 5.0, "positive": 2.0, "negative": 1.0, "clamped": False},
            "rates": {"heads": 5e-5, "backbone": 5e-5, "temperature": 5e-5},
        },
        "head": {
            "negatives": 3,
            "weights": {"classification": 5.0, "positive": 1.0, "negative": 2.0, "clamped": True},
            "rates": _GROUPS,
        },
    }
)


def with_preset(tables: Mapping[str, Any], chosen: str | None = None) -> dict[str, Any]:
    """The tables of a recipe, with the values of its preset (or of the one chosen instead) for missing keys.

    Raises:
        UsageError: there is no such preset.
    """
    rest = {key: value for key, value in tables.items() if key != "preset"}
    name = chosen or tables.get("preset")
    if name is None:
        return rest
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}: {near(str(name), PRESETS)}")
    return {**rest, "stage1": _over(PRESETS[name], rest.get("stage1", {}))}


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = {key: _over(value, {}) if isinstance(value, Mapping) else value for key, value in below.items()}
    for key, value in above.items():
        merged[key] = _over(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged
