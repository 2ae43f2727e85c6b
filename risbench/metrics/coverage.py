"""Warnings about thresholds: how many of a run's masks cover the whole image or nothing.

A heat becomes a mask by a threshold. If heat and threshold have different scales, the mask is the whole image (values
from 0 to 1 under ``> 1e-9``) or empty (values below 0.5 under ``> 0.5``), and the scores look normal. The counts are
computed from the masks of a run and never stored, so that old runs get the warnings too. Expressions without a
prediction are not counted, because another note reports them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ..errors import MaskError
from ..masks import LazyMask, size_of
from ..masks.codes import numbers_of
from .rules.protocols import RULES, Rules

# Not 1, because a heat from a sigmoid may have a few exact zeros. Objects that cover so much of an image are rare.
NEARLY_ALL = 0.95
# The share of such masks from which on there is a warning. Methods that return some empty masks, and objects that fill
# their image, stay below it. A folder in which a third of the heats has another scale is above it.
FROM = 0.2
_CHUNK = 2048  # masks measured together


class Count(NamedTuple):
    """Counts of masks: all, those that cover (nearly) the whole image, and empty ones."""

    masks: int = 0
    whole: int = 0
    empty: int = 0

    @property
    def odd(self) -> float:
        """The share of masks that cover the whole image or nothing, in [0, 1]."""
        return (self.whole + self.empty) / self.masks if self.masks else 0.0

    def plus(self, whole: int, empty: int, masks: int = 1) -> Count:
        """With some more masks."""
        return Count(self.masks + masks, self.whole + whole, self.empty + empty)


class Coverage(NamedTuple):
    """Counts of masks that the rules cut from heats, and of masks that the method returned itself."""

    cut: Count = Count()
    given: Count = Count()

    def with_mask(self, mask: LazyMask, *, cut: bool) -> Coverage:
        """With one more mask."""
        return self.with_share(mask.area / mask.size, cut=cut)

    def with_share(self, share: float, *, cut: bool) -> Coverage:
        """With one more mask that covers a share of its image, in [0, 1]."""
        whole, empty = int(share >= NEARLY_ALL), int(share == 0)
        return (
            self._replace(cut=self.cut.plus(whole, empty))
            if cut
            else self._replace(given=self.given.plus(whole, empty))
        )

    def plus(self, other: Coverage) -> Coverage:
        """With the masks of another."""
        return Coverage(
            *(mine.plus(whole, empty, masks) for mine, (masks, whole, empty) in zip(self, other, strict=True))
        )


def coverage_of(lines: Iterable[Mapping[str, Any]]) -> Coverage:
    """Count the masks of parsed lines of ``masks.jsonl``.

    Raises:
        MaskError: a line has no mask, or a malformed run-length code.
    """
    found = Coverage()
    answered = (line for line in lines if not line.get("missing"))
    while chunk := list(islice(answered, _CHUNK)):
        for line, share in zip(chunk, _shares(chunk), strict=True):
            found = found.with_share(share, cut="cut" in line)
    return found


def cautions(coverage: Coverage, rules: Mapping[str, Any], card: Mapping[str, Any]) -> list[str]:
    """The warnings to print with the figures of these masks; empty if there are none.

    Args:
        coverage: the counts.
        rules: as a run records them: ``name`` and ``threshold``.
        card: the method's card.
    """
    name, chosen, own = rules["name"], rules["threshold"], card.get("threshold")
    if isinstance(own, bool) or not isinstance(own, (int, float)):
        own = None
    if name not in RULES:
        return []
    in_force = Rules(name, chosen).own_threshold
    found = []
    # A user who chooses a threshold below zero wants large masks; the card's own threshold is no choice of the user.
    is_deliberate = chosen is not None and chosen < 0 and chosen != own
    if coverage.cut.odd >= FROM and not is_deliberate:
        whose = "of the method's card" if chosen is not None and chosen == own else f"of rules {name}"
        whose = f"{_short(in_force)} {whose}" if chosen in (None, own) else f"{_short(in_force)}, which was chosen"
        ways = ["--threshold", *(["--rules clean"] if name != "clean" else []), "`risbench sweep`"]
        masks = "masks cut from heats" if coverage.given.masks else "masks"
        found.append(
            f"{_which(coverage.cut, masks)}: threshold {whose}; if the heats are on another scale, give "
            f"{', '.join(ways[:-1])}, or try {ways[-1]}"
        )
    # Trivial baselines (supervision "none") return such masks on purpose. Empty masks alone show in low scores.
    if coverage.given.whole >= FROM * max(1, coverage.given.masks) and card.get("supervision") != "none":
        found.append(
            f"{_which(coverage.given, 'masks')}; the predictions are masks, so no threshold of the rules was used"
        )
    if coverage.cut.masks and chosen is None and own is not None and not _same_cut(name, in_force, own):
        found.append(
            f"the method's card names the threshold {_short(own)}, which rules {name} do not use (theirs is "
            f"{_short(in_force)}): give --threshold, or --rules clean"
        )
    return found


def _same_cut(rules: str, in_force: float, own: float) -> bool:
    """Whether the card's threshold asks for the cut that the rules make."""
    # Above 1e-9 of the maximum, and above zero: the same pixels in any ordinary heat.
    return own == in_force or (rules == "tris" and own == 0)


def _which(count: Count, masks: str) -> str:
    share, whole, empty = (
        _percent(part, count.masks) for part in (count.whole + count.empty, count.whole, count.empty)
    )
    if not count.empty:
        return f"{share} % of the {masks} cover the whole image"
    if not count.whole:
        return f"{share} % of the {masks} are empty"
    return f"{share} % of the {masks} cover the whole image ({whole} %) or are empty ({empty} %)"


def _short(number: float) -> str:
    return f"{number:g}".replace("e-0", "e-").replace("e+0", "e+")


def _percent(part: int, whole: int) -> str:
    """A share in whole percent; 100 only for all, 0 only for none."""
    return str(100 if part == whole else 0 if not part else min(99, max(1, round(100 * part / whole))))


def _shares(lines: list[Mapping[str, Any]]) -> Iterator[float]:
    """The share of the image that each line's mask covers."""
    codes, areas = [], []
    for line in lines:
        code: Any = line.get("segmentation")
        height, width = size_of(code)
        areas.append(height * width)
        codes.append(_packed(code.get("counts")))
    for pixels, area in zip(_mask_pixels(codes), areas, strict=True):
        yield pixels / area


def _packed(counts: Any) -> bytes:
    if not isinstance(counts, str) or not counts or not counts.isascii():
        raise MaskError("run-length code: 'counts' must be text")
    return counts.encode("ascii")


def _mask_pixels(codes: list[bytes]) -> list[int]:
    """The numbers of mask pixels in many run-length codes at once; see `risbench.masks` for the packing.

    `risbench.masks.runs_of` reads one code and checks it completely. Here only every second run is needed.
    """
    raw = np.frombuffer(b"".join(codes), dtype=np.uint8)
    if raw.min() < 48 or raw.max() > 111:
        raise MaskError("run-length code: 'counts' holds a character outside '0' to 'o'")
    bits = raw - np.uint8(48)
    last = np.flatnonzero(bits < 32)
    ends = np.cumsum([len(code) for code in codes]) - 1  # the place of each code's last character
    if not (bits[ends] < 32).all():
        raise MaskError("run-length code: 'counts' ends in the middle of a number")
    if (numbers := numbers_of(bits, last)) is None:
        raise MaskError("run-length code: a number is too long")
    values, _ = numbers
    stops = np.searchsorted(last, ends) + 1  # the numbers up to each code's end
    starts = np.concatenate(([0], stops[:-1]))
    turn = np.arange(values.size) - np.repeat(starts, stops - starts)
    # Of the runs of mask (the second, the fourth, …) the first is given, each other as a difference to the one before.
    lengths = np.where(turn % 2 == 1, values, 0)
    totals = np.cumsum(lengths)
    runs = np.where(turn % 2 == 1, totals - np.repeat(totals[starts] - lengths[starts], stops - starts), 0)
    return np.add.reduceat(runs, starts).tolist()
