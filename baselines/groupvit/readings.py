"""From groups to a prediction: the groups that a text selects (the mask), and their weights (the heat).

Each of three readings gives every group a weight and selects some groups, for every text. No publication says how to
use one expression with a method for a closed list of classes, so all three are ours:

- ``raw``: the group with the highest cosine; the weight of a group is its cosine, or 0 if that is negative.
- ``topk``: all groups whose cosine is within ``delta`` of the highest.
- ``competitors``: the authors' rule for a list of classes; the list is the expression and the competing words.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

NOISE = 1e-5  # cosines closer than this count as equal, so that rounding does not decide between equal groups


class Reading(NamedTuple):
    """The selected groups of N texts, and all weights.

    Attributes:
        weights: float ``(N, G)``, not negative.
        chosen: bool ``(N, G)``, the selected groups.
    """

    weights: Tensor
    chosen: Tensor


def raw(cosines: Tensor, held: Tensor) -> Reading:
    """Select the group with the highest cosine.

    Args:
        cosines: ``(N, G)``.
        held: bool ``(G,)``, the groups that have a pixel; others cannot be selected.
    """
    able = cosines.masked_fill(~held, -torch.inf)
    first = (able >= able.amax(1, keepdim=True) - NOISE).int().argmax(1)
    return Reading(cosines.clamp(min=0), torch.nn.functional.one_hot(first, cosines.shape[1]).bool())


def topk(cosines: Tensor, held: Tensor, delta: float) -> Reading:
    """Select all groups within ``delta`` of the highest cosine; see :func:`raw`. Other groups have weight 0."""
    able = cosines.masked_fill(~held, -torch.inf)
    chosen = able >= able.amax(1, keepdim=True) - delta - NOISE
    return Reading(cosines.clamp(min=0) * chosen, chosen)


def affinity(groups: Tensor, whole: Tensor, scale: float, top: int) -> Tensor:
    """The authors' affinity of groups and texts, ``(G, T)`` in [0, 1]; the first text is the expression.

    It is a softmax over the ``top`` texts most similar to the whole image, times the softmax over all texts. The
    expression is always among the ``top``, because in referring segmentation its object is known to be there.

    Args:
        groups: cosines ``(G, T)`` of groups and texts.
        whole: cosines ``(T,)`` of the image and the texts.
        scale: factor of the cosines; at most 100 is used.
        top: the number of texts that may win a group.
    """
    scale = min(scale, 100.0)
    others = whole[1:].topk(min(top, len(whole)) - 1).indices + 1
    allowed = torch.zeros_like(whole, dtype=torch.bool)
    allowed[0] = True
    allowed[others] = True
    logits = groups * scale
    return logits.masked_fill(~allowed, -torch.inf).softmax(1) * logits.softmax(1)


def named(affinities: Tensor, background: float) -> Tensor:
    """The text of every group, int64 ``(G,)``, by the largest affinity; -1 (background) if that is too small.

    It is too small below ``background``. If no affinity reaches ``background``, the limit is the largest of all
    affinities.
    """
    best, text = affinities.max(1)
    limit = min(background, float(affinities.max()))
    return torch.where(best < limit, -1, text)


def competing(cosines: Tensor, whole: Tensor, scale: float, *, top: int, background: float) -> Reading:
    """Select groups for one expression among competitors; see :func:`affinity` and :func:`named`."""
    affinities = affinity(cosines, whole, scale, top)
    return Reading(affinities[:, 0][None], (named(affinities, background) == 0)[None])
