"""Facts about an expression that need no prediction: its words, and how much of the image its object covers."""

from __future__ import annotations

import re

from ..masks import runs_of, union_of
from ..records import Sample

_WORDS = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def words_of(text: str) -> list[str]:
    """The words of an expression, in lower case."""
    return _WORDS.findall(text.lower())


def share_of(sample: Sample) -> float:
    """The share of the image that the truth covers, by the union of its parts; 0 without a true mask."""
    if len(sample.parts) == 1:  # its code has the number of pixels already
        return int(runs_of(sample.parts[0])[1::2].sum()) / (sample.size[0] * sample.size[1])
    return float(union_of(sample.parts, sample.size).mean()) if sample.parts else 0.0
