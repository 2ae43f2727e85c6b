"""Check a method's contract on a few drawn scenes, in seconds, before hours are spent on a run.

Each check is a claim that holds or does not. A method that passes returns predictions that can be scored. It returns
the same prediction for an expression whatever other texts and images are in the call. It does not change its input.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..datasets.choose import refuse_empty
from ..datasets.images import read_image
from ..datasets.split import Split
from ..errors import RisbenchError, UsageError
from ..faults import described
from ..metrics.coverage import Coverage, cautions
from ..metrics.rules.protocols import Rules
from ..plain import counted
from ..records import Prediction, Sample
from .answers import predictions_of
from .cards import GRADES, is_threshold, supervision_fault, unknown_keys
from .contract import card_of, inner_of, reads

_ODD_TEXTS = ("", "the " * 200 + "circle", "der Kreis über dem Würfel ☂", "<s> {x} %s \\n")
_SLACK = 1e-4  # float32 noise between batch sizes, relative to the heat's largest value


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        claim: what was checked, as a sentence.
        holds: whether the claim is true; None if it was not tried.
        detail: what is wrong if the claim does not hold; otherwise a note, or empty.
        caution: a warning although the claim holds.
    """

    claim: str
    holds: bool | None
    detail: str = ""
    caution: str = ""

    def record(self) -> dict[str, Any]:
        """As `risbench check --json` prints it, where ``detail`` has the key ``seen``."""
        return {"claim": self.claim, "holds": self.holds, "seen": self.detail, "caution": self.caution}


def check_method(method: Any, split: Split, images: int = 3) -> list[Finding]:
    """Check a method on the first images of a split.

    Args:
        method: any object with ``predict``.
        split: drawn scenes, or any other split whose images are present.
        images: how many images to check.

    Returns:
        The findings, in the order of the checks.
    """
    groups = [tuple(group) for group, _ in zip(refuse_empty(split).by_image(), range(images), strict=False)]
    if not groups:
        raise UsageError(f"the number of images must be 1 or more, not {images}")
    caller = _Caller(method, groups)
    checks: list[tuple[str, Callable[[_Caller], str]]] = [
        ("the card can be stored and has what tables need", _card),
        ("predict returns a mask or a heat that can be scored for each text", _scorable),
        ("predict does not change the image", _image_untouched),
        ("a prediction does not change during the next call", _kept),
        ("the same call gives the same predictions", _repeatable),
        ("a prediction does not depend on the other texts of the call", _alone),
        ("a prediction does not depend on the order of the texts", _reversed),
        ("predict_many agrees with predict", _many),
        ("predict accepts empty, long and unusual texts", _odd_texts),
        ("predict accepts a small and narrow image", _odd_image),
    ]
    findings = []
    for claim, check in checks:
        if caller.fault is not None:
            # All later checks compare with the predictions that this check did not get.
            findings.append(Finding(claim, None, "not tried: the method raised an exception above"))
            continue
        try:
            detail = check(caller)
        except RisbenchError as error:
            detail = str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # any exception of a third-party method is a finding, even SystemExit
            detail = described(error, inner_of(method))
            if check is _scorable:
                caller.fault = error
        # The scale of a heat is never a fault of the method, because the user can choose the threshold.
        caution = "; ".join(caller.cautions) if check is _scorable and not detail else ""
        findings.append(Finding(claim, not detail, detail, caution))
    if findings[0].holds and (unknown := unknown_keys(card_of(method))):
        # A method may have keys of its own, which headers keep; but such a key may also be a spelling mistake.
        note = f"no table reads these keys of the card: {', '.join(unknown)}"
        findings[0] = findings[0]._replace(detail=note)
    return findings


class _Caller:
    """Calls a method on images and keeps its predictions for each image with all its texts."""

    def __init__(self, method: Any, groups: Sequence[tuple[Sample, ...]]) -> None:
        self.method = method
        self.groups = groups
        self.images = [read_image(group[0].image_path, group[0].size) for group in groups]
        self.cautions: list[str] = []  # warnings about predictions that can be scored
        self.fault: BaseException | None = None  # raised by the first call
        self._plain: list[list[Prediction]] | None = None

    @property
    def reads_samples(self) -> bool:
        return bool(reads(self.method))

    def raw(self, image: np.ndarray, samples: Sequence[Sample], texts: list[str] | None = None) -> list[Prediction]:
        """The predictions for this image, not copied: they may share the method's memory."""
        words = [sample.text for sample in samples] if texts is None else texts
        extra = {"samples": tuple(samples)} if self.reads_samples else {}
        return predictions_of(self.method.predict(image, words, **extra), samples)

    def predict(self, image: np.ndarray, samples: Sequence[Sample], texts: list[str] | None = None) -> list[Prediction]:
        """Copies of the predictions. The method gets a copy of the image, because it may write into it."""
        return _copied(self.raw(image.copy(), samples, texts))

    @property
    def plain(self) -> list[list[Prediction]]:
        if self._plain is None:
            self._plain = [self.predict(image, group) for image, group in zip(self.images, self.groups, strict=True)]
        return self._plain


def _card(caller: _Caller) -> str:
    card = card_of(caller.method)
    try:
        json.dumps(card)
    except TypeError as error:
        return f"the card holds a value that JSON cannot store: {error}"
    if not card:
        return "no card: give the method a mapping `card`, at least with 'grade' and 'supervision'"
    if card.get("grade") not in GRADES:
        return f"card['grade'] is {card.get('grade')!r}; it must be one of {', '.join(GRADES)}"
    threshold = card.get("threshold")
    if threshold is not None and not is_threshold(threshold):
        return f"card['threshold'] is {threshold!r}; it must be a number"
    if not card.get("supervision"):
        return "card['supervision'] is missing: name the labels that the method was trained with"
    return supervision_fault(card)


def _scorable(caller: _Caller) -> str:
    rules, coverage = Rules(), Coverage()
    for group, answers in zip(caller.groups, caller.plain, strict=True):
        for sample, answer in zip(group, answers, strict=True):
            coverage = coverage.with_mask(rules.judge(sample, answer).mask, cut=answer.mask is None)
    caller.cautions = cautions(coverage, rules.record(), card_of(caller.method))
    return ""


def _image_untouched(caller: _Caller) -> str:
    image = caller.images[0].copy()
    caller.raw(image, caller.groups[0])
    return "" if np.array_equal(image, caller.images[0]) else "predict wrote into the image it was given"


def _kept(caller: _Caller) -> str:
    """A run scores a prediction during the next call, so the method must not write into it any more."""
    image, group = caller.images[0], caller.groups[0]
    answers = caller.raw(image.copy(), group)
    before = _copied(answers)
    caller.raw(255 - image, group[::-1])
    detail = _difference(before, answers, group, 0.0)
    return detail and f"{detail} after another call: return arrays that predict will not write into again"


def _repeatable(caller: _Caller) -> str:
    again = caller.predict(caller.images[0], caller.groups[0])
    return _difference(caller.plain[0], again, caller.groups[0], 0.0)


def _alone(caller: _Caller) -> str:
    if "siblings" in reads(caller.method):
        return ""  # its card says that it uses the other texts
    single = [caller.predict(caller.images[0], [sample])[0] for sample in caller.groups[0]]
    return _difference(caller.plain[0], single, caller.groups[0], _SLACK)


def _reversed(caller: _Caller) -> str:
    backwards = caller.predict(caller.images[0], caller.groups[0][::-1])[::-1]
    return _difference(caller.plain[0], backwards, caller.groups[0], _SLACK)


def _many(caller: _Caller) -> str:
    if not hasattr(caller.method, "predict_many"):
        return ""
    extra = {"samples": list(caller.groups)} if caller.reads_samples else {}
    images = [image.copy() for image in caller.images]
    answers = caller.method.predict_many(images, [[item.text for item in group] for group in caller.groups], **extra)
    if not hasattr(answers, "__len__"):
        return f"predict_many returned {type(answers).__name__}; it must return a list with one answer for each image"
    if len(answers) != len(images):
        return f"predict_many returned {counted(len(answers), 'answer')} for {counted(len(images), 'image')}"
    if not all(np.array_equal(image, own) for image, own in zip(images, caller.images, strict=True)):
        return "predict_many wrote into an image it was given"
    for group, plain, answer in zip(caller.groups, caller.plain, answers, strict=True):
        if detail := _difference(plain, predictions_of(answer, group), group, _SLACK):
            return detail
    return ""


def _odd_texts(caller: _Caller) -> str:
    samples = [caller.groups[0][0]] * len(_ODD_TEXTS)
    caller.predict(caller.images[0], samples, list(_ODD_TEXTS))
    return ""


def _odd_image(caller: _Caller) -> str:
    if caller.reads_samples:
        return ""  # what it reads about the sample belongs to the real image
    sample = caller.groups[0][0]
    small = Sample(sample.id, 0, 0, 0, sample.image_path, (7, 61), sample.text, None, ())
    image = np.full((7, 61, 3), 127, dtype=np.uint8)
    predictions_of(caller.method.predict(image, [sample.text]), [small])
    return ""


def _copied(predictions: Sequence[Prediction]) -> list[Prediction]:
    return [copy.deepcopy(prediction) for prediction in predictions]


def _difference(
    first: Sequence[Prediction], second: Sequence[Prediction], samples: Sequence[Sample], slack: float
) -> str:
    for sample, a, b in zip(samples, first, second, strict=True):
        for name in ("mask", "heat", "boxes"):
            one, other = getattr(a, name), getattr(b, name)
            if (one is None) != (other is None) or (one is not None and one.shape != other.shape):
                return f"{sample.id}: {name} of another type or shape"
            if one is not None and not _near(one, other, slack):
                return f"{sample.id}: not the same {name}"
        if a.point != b.point and not (a.point and b.point and math.dist(a.point, b.point) <= slack):
            return f"{sample.id}: not the same point"
    return ""


def _near(one: np.ndarray, other: np.ndarray, slack: float) -> bool:
    if one.dtype == np.bool_:
        return bool((one != other).mean() <= slack)
    return bool(np.abs(one - other).max(initial=0.0) <= slack * np.abs(one).max(initial=1e-30))
