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

from ..datasets.images import read_image
from ..datasets.split import Split, refuse_empty
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
    asker = _Asker(method, groups)
    questions: list[tuple[str, Callable[[_Asker], str]]] = [
        ("the card can be stored and says what a table needs", _card),
        ("it answers each text with a mask or a heat that can be scored", _scorable),
        ("it leaves the image alone", _image_untouched),
        ("an answer stays what it was when the next question comes", _kept),
        ("the same question gets the same answer", _repeatable),
        ("an answer does not depend on the other texts of the call", _alone),
        ("an answer does not depend on the order of the texts", _reversed),
        ("predict_many agrees with predict", _many),
        ("it answers empty, long and strange texts", _odd_texts),
        ("it answers for a small and narrow image", _odd_image),
    ]
    findings = []
    for claim, question in questions:
        if asker.fault is not None:
            # All later checks compare with the predictions that this check did not get.
            findings.append(Finding(claim, None, "not tried: the method raised an exception above"))
            continue
        try:
            detail = question(asker)
        except RisbenchError as error:
            detail = str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # any exception of a third-party method is a finding, even SystemExit
            detail = described(error, inner_of(method))
            if question is _scorable:
                asker.fault = error
        # The scale of a heat is never a fault of the method, because the user can choose the threshold.
        caution = "; ".join(asker.cautions) if question is _scorable and not detail else ""
        findings.append(Finding(claim, not detail, detail, caution))
    if findings[0].holds and (unknown := unknown_keys(card_of(method))):
        # A method may have keys of its own, which headers keep; but such a key may also be a spelling mistake.
        note = f"no table reads these keys of the card: {', '.join(unknown)}"
        findings[0] = findings[0]._replace(detail=note)
    return findings


class _Asker:
    """Calls a method on images and keeps its predictions for each image with all its texts."""

    def __init__(self, method: Any, groups: Sequence[tuple[Sample, ...]]) -> None:
        self.method = method
        self.groups = groups
        self.images = [read_image(group[0].image_path, group[0].size) for group in groups]
        self.cautions: list[str] = []  # warnings about predictions that can be scored
        self.fault: BaseException | None = None  # raised by the first call
        self._plain: list[list[Prediction]] | None = None

    @property
    def sees(self) -> bool:
        return bool(reads(self.method))

    def raw(self, image: np.ndarray, samples: Sequence[Sample], texts: list[str] | None = None) -> list[Prediction]:
        """The predictions for this image, not copied: they may share the method's memory."""
        words = [sample.text for sample in samples] if texts is None else texts
        extra = {"samples": tuple(samples)} if self.sees else {}
        return predictions_of(self.method.predict(image, words, **extra), samples)

    def ask(self, image: np.ndarray, samples: Sequence[Sample], texts: list[str] | None = None) -> list[Prediction]:
        """Copies of the predictions. The method gets a copy of the image, because it may write into it."""
        return _copied(self.raw(image.copy(), samples, texts))

    @property
    def plain(self) -> list[list[Prediction]]:
        if self._plain is None:
            self._plain = [self.ask(image, group) for image, group in zip(self.images, self.groups, strict=True)]
        return self._plain


def _card(asker: _Asker) -> str:
    card = card_of(asker.method)
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


def _scorable(asker: _Asker) -> str:
    rules, coverage = Rules(), Coverage()
    for group, answers in zip(asker.groups, asker.plain, strict=True):
        for sample, answer in zip(group, answers, strict=True):
            coverage = coverage.with_mask(rules.judge(sample, answer).mask, cut=answer.mask is None)
    asker.cautions = cautions(coverage, rules.record(), card_of(asker.method))
    return ""


def _image_untouched(asker: _Asker) -> str:
    image = asker.images[0].copy()
    asker.raw(image, asker.groups[0])
    return "" if np.array_equal(image, asker.images[0]) else "predict wrote into the image it was given"


def _kept(asker: _Asker) -> str:
    """A run scores a prediction during the next call, so the method must not write into it any more."""
    image, group = asker.images[0], asker.groups[0]
    answers = asker.raw(image.copy(), group)
    before = _copied(answers)
    asker.raw(255 - image, group[::-1])
    detail = _difference(before, answers, group, 0.0)
    return detail and f"{detail} after another call: return arrays that predict will not write into again"


def _repeatable(asker: _Asker) -> str:
    again = asker.ask(asker.images[0], asker.groups[0])
    return _difference(asker.plain[0], again, asker.groups[0], 0.0)


def _alone(asker: _Asker) -> str:
    if "siblings" in reads(asker.method):
        return ""  # its card says that it uses the other texts
    single = [asker.ask(asker.images[0], [sample])[0] for sample in asker.groups[0]]
    return _difference(asker.plain[0], single, asker.groups[0], _SLACK)


def _reversed(asker: _Asker) -> str:
    backwards = asker.ask(asker.images[0], asker.groups[0][::-1])[::-1]
    return _difference(asker.plain[0], backwards, asker.groups[0], _SLACK)


def _many(asker: _Asker) -> str:
    if not hasattr(asker.method, "predict_many"):
        return ""
    extra = {"samples": list(asker.groups)} if asker.sees else {}
    images = [image.copy() for image in asker.images]
    answers = asker.method.predict_many(images, [[item.text for item in group] for group in asker.groups], **extra)
    if not hasattr(answers, "__len__"):
        return f"predict_many returned {type(answers).__name__}; it must return a list with one answer for each image"
    if len(answers) != len(images):
        return f"predict_many returned {counted(len(answers), 'answer')} for {counted(len(images), 'image')}"
    if not all(np.array_equal(image, own) for image, own in zip(images, asker.images, strict=True)):
        return "predict_many wrote into an image it was given"
    for group, plain, answer in zip(asker.groups, asker.plain, answers, strict=True):
        if detail := _difference(plain, predictions_of(answer, group), group, _SLACK):
            return detail
    return ""


def _odd_texts(asker: _Asker) -> str:
    samples = [asker.groups[0][0]] * len(_ODD_TEXTS)
    asker.ask(asker.images[0], samples, list(_ODD_TEXTS))
    return ""


def _odd_image(asker: _Asker) -> str:
    if asker.sees:
        return ""  # what it reads about the sample belongs to the real image
    sample = asker.groups[0][0]
    small = Sample(sample.id, 0, 0, 0, sample.image_path, (7, 61), sample.text, None, ())
    image = np.full((7, 61, 3), 127, dtype=np.uint8)
    predictions_of(asker.method.predict(image, [sample.text]), [small])
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
