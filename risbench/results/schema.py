"""What stands where in the JSON files of a run, and of which type; the header's part follows from `Header`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import DataError
from .header import CountsRecord, Header, MachineRecord, RulesRecord, SourceRecord
from .jsonrecord import kinds_of
from .kinds import NONE, NUMBER, TEXT, WHOLE, YES, Each, Maybe
from .rows import ANSWER_COUNTS, TRUTH_COUNTS

HEADER = kinds_of(Header)
RULES, COUNTS, SOURCE, MACHINE = (kinds_of(kind) for kind in (RulesRecord, CountsRecord, SourceRecord, MachineRecord))
INTERVAL = {"value": NUMBER + NONE, "low": NUMBER + NONE, "high": NUMBER + NONE, "count": WHOLE}
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


def check_metrics(metrics: Mapping[str, Any], where: str, place: str) -> None:
    """Raise unless figures with their intervals are fractions, and over something where there is one.

    Raises:
        DataError: which is not.
    """
    for name, number in metrics.items():
        for key in ("value", "low", "high"):
            if number[key] is not None and not 0 <= number[key] <= 1:
                raise DataError(f"{where}: {place}.{name:.80}.{key} is {number[key]!s:.40}; figures are fractions")
        if (number["value"] is None) != (number["count"] == 0):
            raise DataError(f"{where}: {place}.{name:.80}: a figure over nothing, or none over something")
