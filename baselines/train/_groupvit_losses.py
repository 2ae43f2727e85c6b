"""The contrast of captions with groups, by which groups become objects."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def one_group(cosines: Tensor, true: Tensor, scale: Tensor) -> Tensor:
    """Every caption that is true of a picture is to be found in one of its groups, and that group to say nothing else.

    GroupViT's own contrast takes the mean of a picture's groups, which need not be objects for it to fall: any group
    may know the whole picture. Here the group that answers best stands for the picture, and stands against its
    brothers as well as against the groups of pictures of which the caption is not true. Where each object is stays
    unsaid; that a caption means one thing is all that is used.

    Args:
        cosines: ``(B, G, U)`` of B pictures' groups with the U captions of one question.
        true: bool ``(B, U)``. Captions of one question say the same about different objects, so two that are true of
            a picture are true of two objects in it, and of two groups.
        scale: the temperature, by which cosines are multiplied.

    Returns:
        The mean over captions of how hard their groups are to find, and over pictures of how hard their groups'
        captions are, in equal parts; a scalar, 0 where nothing is true.
    """
    logits = scale * cosines
    best, group = logits.max(1)  # (B, U)
    count = logits.shape[2]
    elsewhere = logits.logsumexp(1).masked_fill(true, -torch.inf).logsumexp(0)  # (U,)
    own = F.one_hot(group, logits.shape[1]).transpose(1, 2).bool()
    brothers = logits.masked_fill(own, -torch.inf).logsumexp(1)
    found = _hard(torch.logaddexp(elsewhere.expand_as(brothers), brothers), best) * true
    said = logits.gather(1, group[:, :, None].expand(-1, -1, count))  # what the best group of each caption says of all
    others = said.masked_fill(torch.eye(count, dtype=torch.bool, device=said.device), -torch.inf).logsumexp(2)
    meant = _hard(others, best) * true
    return (_mean(found, true, 0) + _mean(meant, true, 1)) / 2


def _hard(others: Tensor, own: Tensor) -> Tensor:
    return F.softplus((others - own).clamp(min=-100))


def _mean(each: Tensor, true: Tensor, axis: int) -> Tensor:
    """The mean over rows (or columns) that have something true, of the means of what is true in them."""
    counts = true.sum(axis)
    return (each.sum(axis) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)
