"""Find expressions by their text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import UsageError
from .split import Split


def positions_of(split: Split, patterns: Sequence[str]) -> list[int]:
    """The positions in a split of the expressions whose text every pattern is found in; all of them without patterns.

    Args:
        split: the split; images and masks are not read.
        patterns: regular expressions, such as ``left`` or ``\\bman\\b``; upper and lower case are the same.

    Raises:
        UsageError: a pattern is not a regular expression.
    """
    compiled = [_compiled(pattern) for pattern in patterns]
    texts = split.table.sent_text
    return [
        place
        for place, row in enumerate(split.rows.tolist())
        if all(pattern.search(texts[row]) for pattern in compiled)
    ]


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise UsageError(
            f"--text {pattern!r:.80}: not a regular expression ({error}); write \\ before ( ) [ ] ? * +"
        ) from None
