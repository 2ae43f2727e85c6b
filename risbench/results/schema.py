"""The keys and types of the JSON files of a run, because other people's runs are read too.

The description of the header follows from `risbench.results.header.Header`; `risbench.results.kinds` checks.
"""

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
