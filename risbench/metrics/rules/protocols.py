"""Rules: a protocol as a named, recorded value.

``Rules("tris")`` scores by one fixed protocol. The file with the protocol's name defines what it computes. This file
has the list of protocols, the sentence printed under every table, and a cache of truths, because the expressions about
one object share its truth.
"""

from __future__ import annotations

import difflib
import math
import typing
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np

from ...errors import UsageError
from ...records import Overlap, Prediction, Sample
from ..scores import Verdict
from . import clean, lavt, mg, tris, wwbl

DEFAULT = "tris"


class Protocol(typing.Protocol):
    """What the file of a protocol defines."""

    @property
    def TEXT(self) -> str:
        """The protocol in one sentence, printed under every table."""
        ...

    @property
    def THRESHOLD(self) -> float:
        """Where a heat becomes a mask, in the unit of :meth:`scaled`."""
        ...

    @property
    def TAKES_CARD_THRESHOLD(self) -> bool:
        """Whether the threshold of a method's card replaces ``THRESHOLD``."""
        ...

    @property
    def SIZE(self) -> tuple[int, int] | None:
        """``(height, width)`` in which masks are counted; None for the image's own."""
        ...

    @property
    def LOCATES(self) -> bool:
        """Whether points and boxes are scored."""
        ...

    def truth_of(self, sample: Sample, /) -> Any:
        """The truth of a sample, in the form that the other functions take; it has a ``mask``."""
        ...

    def judge(self, sample: Sample, truth: Any, prediction: Prediction, threshold: float | None, /) -> Verdict:
        """Score one checked prediction."""
        ...

    def scaled(self, heat: np.ndarray, size: tuple[int, int], /) -> np.ndarray:
        """A heat at a size, in the unit of the threshold."""
        ...

    def sweep(self, sample: Sample, truth: Any, heat: np.ndarray, thresholds: Sequence[float], /) -> list[Overlap]:
        """The overlap at each threshold."""
        ...


_PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {"tris": tris, "lavt": lavt, "clean": clean, "wwbl": wwbl, "mg": mg}
)
RULES: Mapping[str, str] = MappingProxyType({name: protocol.TEXT for name, protocol in _PROTOCOLS.items()})
_FIRST = 1  # the version of a protocol if its record has none
_REMEMBERED = 32


def identity_of(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """The parts of recorded rules that decide whether two rules are the same: name, threshold and version.

    The text does not count, so the description of a protocol may be improved and old results stay comparable. A
    protocol that computes something else gets another ``version`` in its record; so far all have version 1.
    """
    return record.get("name"), record.get("threshold"), record.get("version", _FIRST)


def text_of(record: Mapping[str, Any]) -> str:
    """Recorded rules in one sentence: the current text if this version knows the rules, else the recorded text."""
    known = record.get("version", _FIRST) == _FIRST and RULES.get(record["name"])
    return known or record["text"]


def scores_boxes(name: str) -> bool:
    """Whether the rules of a name score points and boxes; True for rules that this version does not know."""
    return name not in _PROTOCOLS or _PROTOCOLS[name].LOCATES


def own_size(name: str) -> tuple[int, int] | None:
    """The size in which the rules of a name count masks; None for the image's own, or for unknown rules."""
    return _PROTOCOLS[name].SIZE if name in _PROTOCOLS else None


class Rules:
    """One protocol, ready to score.

    Attributes:
        name: ``tris``, ``lavt``, ``clean``, ``wwbl`` or ``mg``.
        text: the protocol in one sentence.
        threshold: replaces the protocol's own threshold; None keeps it.
    """

    def __init__(self, name: str = DEFAULT, threshold: float | None = None) -> None:
        """Choose a protocol by its name.

        Raises:
            UsageError: no such rules, or a threshold that is not a number.
        """
        if name not in RULES:
            near = difflib.get_close_matches(name, RULES, 1, 0.3)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(RULES)}"
            raise UsageError(f"no rules named '{name}': {hint}")
        if threshold is not None and not math.isfinite(threshold):
            raise UsageError(f"a threshold must be a finite number, got {threshold}")
        self.name = name
        self.text = RULES[name]
        self.threshold = threshold
        self._protocol = _PROTOCOLS[name]
        self._truths: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    @property
    def own_threshold(self) -> float:
        """The threshold that is used: ``threshold`` if it is given, else the protocol's."""
        return self._protocol.THRESHOLD if self.threshold is None else self.threshold

    @property
    def size(self) -> tuple[int, int] | None:
        """``(height, width)`` in which masks are counted; None for the image's own."""
        return self._protocol.SIZE

    def __reduce__(self) -> tuple[type[Rules], tuple[str, float | None]]:
        # Only name and threshold are pickled: a protocol is a module, and the cached truths are large.
        return Rules, (self.name, self.threshold)

    def record(self) -> dict[str, Any]:
        """The rules as a run stores them."""
        return {"name": self.name, "text": self.text, "threshold": self.threshold}

    def for_method(self, threshold: float | None) -> Rules:
        """These rules with the threshold of a method's card, if the protocol uses it and the user chose none."""
        if not self._protocol.TAKES_CARD_THRESHOLD or self.threshold is not None or threshold is None:
            return self
        if isinstance(threshold, bool) or not isinstance(threshold, Real):
            raise UsageError(f"the threshold of a method's card must be a number, not {threshold!r:.60}")
        return Rules(self.name, float(threshold))

    def takes(self, prediction: Prediction) -> bool:
        """True for a mask at the protocol's own size, if it has one."""
        return self.size is not None and prediction.mask is not None and prediction.mask.shape == self.size

    def judge(self, sample: Sample, prediction: Prediction) -> Verdict:
        """Score one prediction that `risbench.methods.answers.prediction_of` has checked.

        Without a truth there is no score. A sample without parts has no overlap and no PointM. A sample without a box
        has no PointIt and no Accbox. A sample with neither has no target: an empty mask is right and has no overlap
        (0/0), any other mask scores IoU 0. If a sample has parts but its true mask has no pixel, every prediction
        scores 0, as in the authors' code, and the sample is marked.
        """
        truth = self._truth(sample)
        verdict = self._protocol.judge(sample, truth, prediction, self.threshold)
        scores = verdict.scores
        no_target = not sample.parts and sample.box is None
        if not sample.parts:
            # With an empty truth the union is the predicted mask, at the size that the protocol counts in.
            area = scores.union if no_target else None
            scores = scores._replace(intersection=0 if area else None, union=area or None, hit_mask=None)
        if sample.box is None:
            scores = scores._replace(hit_box=None, box_iou=None)
        empty_truth = bool(sample.parts) and truth.mask.area == 0
        return verdict._replace(scores=scores, empty_truth=empty_truth, no_target=no_target)

    def scaled(self, heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """A checked heat at a size, float32 ``(H, W)``, in the unit of these rules' threshold."""
        return self._protocol.scaled(heat, size)

    def sweep(self, sample: Sample, heat: np.ndarray, thresholds: Sequence[float]) -> list[Overlap]:
        """The overlap of a checked heat, float32 ``(h, w)``, at each threshold, as `judge` would count it."""
        return self._protocol.sweep(sample, self._truth(sample), heat, thresholds)

    def _truth(self, sample: Sample) -> Any:
        key = (sample.id.partition("/")[0], sample.image_id, sample.ref_id, sample.size, sample.box)
        known = self._truths.get(key)
        # The ids of other people's samples may repeat, so the parts must be equal too.
        if known is not None and (known[0] is sample.parts or known[0] == sample.parts):
            self._truths.move_to_end(key)
            return known[1]
        truth = self._protocol.truth_of(sample)
        self._truths[key] = (sample.parts, truth)
        if len(self._truths) > _REMEMBERED:
            self._truths.popitem(last=False)
        return truth


def rules_of(rules: str | Rules, threshold: float | None = None) -> Rules:
    """Rules from rules or their name, with another threshold if one is given."""
    if isinstance(rules, Rules):
        return rules if threshold is None else Rules(rules.name, threshold)
    return Rules(rules, threshold)
