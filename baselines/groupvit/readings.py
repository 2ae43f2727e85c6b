"""From groups to an answer: which groups a text means (the mask), and how much each says of it (the heat).

Three readings, each of which gives every group of every text a weight and a yes or no. Nobody published what a single
expression should do to a method made for a closed list of classes, so all three are ours:

- ``raw``: the group with the highest cosine; the weight of a group is its cosine, or 0 below 0.
- ``topk``: all groups whose cosine is within ``delta`` of the highest.
- ``competitors``: the authors' rule for a list of classes, the list being the expression and words that compete.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

NOISE = 1e-5  # cosines nearer than this are the same, so that groups that are alike are chosen alike in any company


class Reading(NamedTuple):
    """What the groups say of N texts.

    Attributes:
        weights: float ``(N, G)``, at least 0.
        chosen: bool ``(N, G)``.
    """

    weights: Tensor
    chosen: Tensor


def raw(cosines: Tensor, held: Tensor) -> Reading:
    """The best group.

    Args:
        cosines: ``(N, G)``.
        held: bool ``(G,)``, the groups that hold a pixel; others can be no answer.
    """
    able = cosines.masked_fill(~held, -torch.inf)
    first = (able >= able.amax(1, keepdim=True) - NOISE).int().argmax(1)
    return Reading(cosines.clamp(min=0), torch.nn.functional.one_hot(first, cosines.shape[1]).bool())


def topk(cosines: Tensor, held: Tensor, delta: float) -> Reading:
    """The groups that are nearly as good as the best; see :func:`raw`. Others weigh nothing."""
    able = cosines.masked_fill(~held, -torch.inf)
    chosen = able >= able.amax(1, keepdim=True) - delta - NOISE
    return Reading(cosines.clamp(min=0) * chosen, chosen)


def affinity(groups: Tensor, whole: Tensor, scale: float, top: int) -> Tensor:
    """The authors' affinity of groups and texts, ``(G, T)`` in [0, 1]; the first text is the expression.

    A softmax over the texts that the image as a whole suggests most, times the softmax over all of them. The
    expression is always one of those ``top``: that it is there is given in referring segmentation, not guessed.

    Args:
        groups: cosines ``(G, T)`` of groups and texts.
        whole: cosines ``(T,)`` of the image and the texts.
        scale: what cosines are multiplied by, at most 100.
        top: how many texts may win.
    """
    scale = min(scale, 100.0)
    others = whole[1:].topk(min(top, len(whole)) - 1).indices + 1
    allowed = torch.zeros_like(whole, dtype=torch.bool)
    allowed[0] = True
    allowed[others] = True
    logits = groups * scale
    return logits.masked_fill(~allowed, -torch.inf).softmax(1) * logits.softmax(1)


def named(affinities: Tensor, background: float) -> Tensor:
    """The text of every group, int64 ``(G,)``: the largest affinity, or -1 (background) where that is too small.

    Too small is below ``background``, or below the largest of all where none reaches it.
    """
    best, text = affinities.max(1)
    limit = min(background, float(affinities.max()))
    return torch.where(best < limit, -1, text)


def competing(cosines: Tensor, whole: Tensor, scale: float, *, top: int, background: float) -> Reading:
    """One expression among competitors; see :func:`affinity` for the arguments and :func:`named` for the rule."""
    affinities = affinity(cosines, whole, scale, top)
    return Reading(affinities[:, 0][None], (named(affinities, background) == 0)[None])
