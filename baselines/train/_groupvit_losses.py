"""The contrastive loss between captions and groups. It makes groups become objects."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def one_group(cosines: Tensor, true: Tensor, scale: Tensor) -> Tensor:
    """Every caption that is true of a picture is to be found in one of its groups, and that group to say nothing else.

    GroupViT's own contrast takes the mean of a picture's groups, which need not be objects for it to fall: any group
    may know the whole picture. Here one group stands for each caption (see :func:`matched`), against its brothers as
    well as against the groups of pictures of which the caption is not true. Where each object is stays unsaid; that a
    caption means one thing is all that is used.

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
    group = matched(cosines, true)
    count = logits.shape[2]
    # The logits of each caption's own group with all captions.
    group_logits = logits.gather(1, group[:, :, None].expand(-1, -1, count))
    best = group_logits.diagonal(dim1=1, dim2=2)  # (B, U)
    elsewhere = logits.logsumexp(1).masked_fill(true, -torch.inf).logsumexp(0)  # (U,)
    own = F.one_hot(group, logits.shape[1]).transpose(1, 2).bool()
    brothers = logits.masked_fill(own, -torch.inf).logsumexp(1)
    found = _hard(torch.logaddexp(elsewhere.expand_as(brothers), brothers), best) * true
    itself = torch.eye(count, dtype=torch.bool, device=logits.device)
    others = group_logits.masked_fill(itself, -torch.inf).logsumexp(2)
    meant = _hard(others, best) * true
    return (_mean(found, true, 0) + _mean(meant, true, 1)) / 2


def matched(cosines: Tensor, true: Tensor) -> Tensor:
    """Which group stands for each caption of each picture: int64 ``(B, U)``; see :func:`one_group`.

    Captions of one picture get different groups, so that their cosines, each less the mean of its group, are largest
    together. Left to choose the largest cosine, all captions choose the one group that learned to be an object first,
    which then holds all objects. What is not true of a picture has group 0, which means nothing.
    """
    group = np.zeros(true.shape, np.int64)
    lead = cosines.detach().float()
    if lead.shape[2] > 1:
        lead = lead - lead.mean(2, keepdim=True)
    table, held = lead.cpu().numpy(), true.cpu().numpy()
    for picture, (some, which) in enumerate(zip(table, held, strict=True)):
        captions = np.flatnonzero(which)
        rows, columns = linear_sum_assignment(some[:, captions], maximize=True)
        group[picture, captions[columns]] = rows
    return torch.from_numpy(group).to(cosines.device)


def unevenness(share: Tensor) -> Tensor:
    """How far the groups are from equal use over a batch: 0 if all hold as much, log G if one holds all.

    Args:
        share: ``(B, G, N)``, how far each patch belongs to each group; sums to 1 over the groups.
    """
    used = share.mean((0, 2))
    return (used * (used.clamp(min=1e-9) * len(used)).log()).sum()


def _hard(others: Tensor, own: Tensor) -> Tensor:
    return F.softplus((others - own).clamp(min=-100))


def _mean(each: Tensor, true: Tensor, axis: int) -> Tensor:
    """The mean over rows (or columns) that have something true, of the means of what is true in them."""
    counts = true.sum(axis)
    return (each.sum(axis) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)
