"""Two networks teach each other (co-teaching: Han et al., NeurIPS 2018): each learns what its peer finds easy.

Networks learn what agrees before they learn what does not, so a pseudo mask with a small loss is probably a clean one.
A network that trusted its own choice would confirm its own errors; therefore the peer chooses. One choice of ours: a
whole pseudo mask is kept or left out, because a proposal is right or wrong as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tris_model.ranges import Share


@dataclass(frozen=True, slots=True)
class CoTeaching:
    """How much is kept.

    Attributes:
        forget: the share of masks that are left out at the end.
        begin: the share of the training in which all are kept: networks that know nothing find nothing easy.
        end: the share of the training from which on ``forget`` are left out; in between the share rises evenly.
    """

    forget: Share = 0.1
    begin: Share = 0.2
    end: Share = 0.5


SCHEDULE = CoTeaching()


def kept_share(step: int, total: int, schedule: CoTeaching = SCHEDULE) -> float:
    """The share of a batch's masks that each network picks for its peer.

    Args:
        step: from 0.
        total: steps of the training.
        schedule: of it.

    >>> [round(kept_share(step, 100), 2) for step in (0, 20, 35, 50, 99)]
    [1.0, 1.0, 0.95, 0.9, 0.9]
    """
    done = step / total
    if done <= schedule.begin:
        return 1.0
    risen = 1.0 if done >= schedule.end else (done - schedule.begin) / (schedule.end - schedule.begin)
    return 1 - schedule.forget * risen


def easy(logits: Tensor, masks: Tensor, kept: float) -> Tensor:
    """The samples that a network finds easy, those of the smallest loss.

    The loss is the mean over the object's pixels plus the mean over the background's, both cross-entropies. Over all
    pixels at once a large object would have a large loss, and large objects would be left out.

    Args:
        logits: ``(N, 1, S, S)``, the finest of a network.
        masks: float ``(N, 1, S, S)`` of 0 and 1.
        kept: the share to be kept; rounded up to whole samples, at least one.

    Returns:
        Indices of samples, int64 ``(ceil(kept * N),)``, the easiest first; of equal ones the earlier.
    """
    with torch.no_grad():
        each = F.binary_cross_entropy_with_logits(logits.float(), masks, reduction="none").flatten(1)
        thing = masks.flatten(1)
        inside = (each * thing).sum(1) / thing.sum(1).clamp(min=1)
        outside = (each * (1 - thing)).sum(1) / (1 - thing).sum(1).clamp(min=1)
        count = max(1, math.ceil(round(kept * len(masks), 6)))
        return (inside + outside).argsort(stable=True)[:count]


def co_teaching_losses(
    first: Sequence[Tensor], second: Sequence[Tensor], masks: Tensor, kept: float, weight: float = 1.0
) -> dict[str, Tensor]:
    """What each network learns from the samples that its peer finds easy.

    Args:
        first: logits of one network, fine to coarse, each ``(N, 1, S, S)``.
        second: those of the other.
        masks: float ``(N, 1, S, S)`` of 0 and 1: the pseudo masks.
        kept: the share of samples that each picks for the other.
        weight: of a pixel of the object in the cross-entropy; a pixel of the background has 1.

    Returns:
        Scalars. ``first`` and ``second``: TRIS's loss of stage 2, the sum over the logits of their mean cross-entropy,
        over the kept samples; ``loss``, their sum; ``agreement``, the share of the kept samples that both picked.
    """
    for_second, for_first = easy(first[0], masks, kept), easy(second[0], masks, kept)
    own = {
        "first": _segmentation(first, masks, for_first, weight),
        "second": _segmentation(second, masks, for_second, weight),
    }
    return {"loss": own["first"] + own["second"], **own, "agreement": torch.isin(for_first, for_second).float().mean()}


def _segmentation(logits: Sequence[Tensor], masks: Tensor, kept: Tensor, weight: float) -> Tensor:
    heavy, wanted = masks.new_tensor(weight), masks[kept]
    return torch.stack(
        [F.binary_cross_entropy_with_logits(one[kept].float(), wanted, pos_weight=heavy) for one in logits]
    ).sum()
