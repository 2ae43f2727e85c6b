"""The contract of a method: what ``predict`` gets, what it may return, and what else a method may offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ..datasets.catalog import is_drawn
from ..errors import RisbenchError
from ..plain import plain


class Method(Protocol):
    """Anything with ``predict``.

    Optional attributes: ``predict_many(images, texts)`` for several images at once; ``card``, a mapping (paper,
    licence, supervision, extra_data, grade, threshold in the heat's units, weights hash, ``reads``);
    ``parameter_count``; ``weights_notes``, sentences that a user should read before the run; ``batch``, the default
    number of images per call; ``facts``, a mapping of what the method learnt during the run, which is stored with it.
    Predictions are scored during the next call, so a method must not write into them after it returned them. A method
    whose card ``reads`` something gets the keyword ``samples=``: the samples of the texts, in their order.
    """

    def predict(self, image: np.ndarray, texts: list[str]) -> Sequence[Any]:
        """One prediction for each text.

        Args:
            image: uint8 ``(H, W, 3)``.
            texts: all expressions about this image.

        Returns:
            One item for each text: a bool ``(H, W)`` array, which is a mask (integers 0 and 1, or 0 and 255, are a
            mask too); a float array of any size, which is a heat; or an object with the attributes ``mask``, ``heat``,
            ``point`` and ``boxes``, such as `Prediction`. Arrays may be of any library, such as tensors on a GPU.
        """
        ...


def card_of(method: Any) -> dict[str, Any]:
    """The method's card as plain values; empty if it has none."""
    card = {key: list(value) if isinstance(value, tuple) else value for key, value in _card(method).items()}
    if "reads" in card:
        card["reads"] = list(reads(method))
    return card


def _card(method: Any) -> Mapping[str, Any]:
    card = getattr(method, "card", None)
    if card is None:
        return {}
    if not isinstance(card, Mapping):
        raise RisbenchError(f"the method's card must be a mapping, not {type(card).__name__}")
    return card


def reads(method: Any) -> tuple[str, ...]:
    """What the method uses beyond image and text, as its card says."""
    given = _card(method).get("reads") or ()
    return (given,) if isinstance(given, str) else tuple(given)


DRAWN = "drawn scenes"


def method_notes(method: Any, split: str | None = None) -> tuple[str, ...]:
    """What a user should know before trusting a method's predictions, one sentence each.

    Args:
        method: its own ``weights_notes`` come first.
        split: the split to predict; None for an image of the user.
    """
    own = getattr(method, "weights_notes", None) or ()
    notes = [plain(note, 500) for note in ((own,) if isinstance(own, str) else own)]
    if _card(method).get("trained_on") == DRAWN and not is_drawn(split or ""):
        notes.append(
            "caution: these weights were trained on drawn scenes only: on photographs their predictions mean nothing"
        )
    return tuple(notes)


def inner_of(method: Any) -> Any:
    """The method inside a wrapper; the method itself if it has none."""
    return getattr(method, "wrapped", method)
