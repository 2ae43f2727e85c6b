"""Read the run-length codes of a few images together: for short codes, calling numpy costs more than the numbers.

`codes.read` defines what a code means, and refuses what is malformed. Here texts are read ahead, where `codes.read`
finds them; a text with any fault is left to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import codes

_MOST = 1 << 21  # characters that are read at once; their numbers take some thirty bytes each


@contextmanager
def read_together(found: Iterable[Any]) -> Iterator[None]:
    """Within the block, `codes.read` finds these codes read already.

    Args:
        found: run-length codes; what is not one, or has no compressed text, is passed over.
    """
    texts: list[str] = []
    totals: list[int] = []
    known: set[tuple[str, int]] = set()
    room = _MOST
    for code in found:
        text = code.get("counts") if isinstance(code, Mapping) else None
        if not isinstance(text, str) or not text or not text.isascii() or len(text) > room:
            continue
        size = code.get("size")
        if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(type(side) is int for side in size):
            continue
        key = text, size[0] * size[1]
        if key not in known:
            known.add(key)
            texts.append(text)
            totals.append(key[1])
            room -= len(text)
    token = codes.AHEAD.set(dict(_read(texts, totals)) if texts else {})
    try:
        yield
    finally:
        codes.AHEAD.reset(token)


def _read(texts: Sequence[str], totals: Sequence[int]) -> Iterator[tuple[tuple[str, int], codes.ReadCode]]:
    """Each text that is right, with the number of pixels of its image, and what it means."""
    raw = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8)
    ends = np.cumsum([len(text) for text in texts]) - 1  # the place of each text's last character
    if raw.min() < codes.FIRST or raw.max() > codes.LAST:
        return
    bits = raw - np.uint8(codes.FIRST)
    last = np.flatnonzero(bits < 32)
    if not (bits[ends] < 32).all():
        return
    numbers = codes.numbers_of(bits, last)
    if numbers is None:
        return
    values, redundant = numbers
    stops = np.searchsorted(last, ends) + 1
    starts = np.concatenate(([0], stops[:-1]))
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        codes.add_up(values[start:stop])
    total = np.array(totals)
    is_right = np.minimum.reduceat(values, starts) >= 0
    is_right &= np.maximum.reduceat(values, starts) <= total
    is_right &= np.add.reduceat(values, starts) == total
    is_other = values == 0
    is_other[starts] = False
    is_other[redundant] = True
    is_canonical = ~np.logical_or.reduceat(is_other, starts)
    for place in np.flatnonzero(is_right).tolist():
        runs = values[starts[place] : stops[place]].copy()  # a view would keep the numbers of all texts in memory
        yield (texts[place], totals[place]), codes.ReadCode(runs, bool(is_canonical[place]))
