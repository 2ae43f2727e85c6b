"""The contrastive loss between captions and groups. It teaches each group to represent one object."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def one_group(cosines: Tensor, true: Tensor, scale: Tensor) -> Tensor:
    """A contrastive loss: each caption of an image matches one group, and this group matches no other caption.

    GroupViT's own contrastive loss uses the mean of an image's groups. It can fall without groups that are objects,
    because any group may encode the whole image. Here one group represents each caption (see :func:`matched`). Its
    negatives are the other groups of the image and all groups of images of which the caption is not true. The positions
    of objects are not used, only that a caption means one object.

    Args:
        cosines: ``(B, G, U)``, of the groups of B images with the U captions of one question.
        true: bool ``(B, U)``, whether a caption is true of an image. Captions of one question describe different
            objects by the same attributes. So two captions that are true of an image describe two objects, and match
            two groups.
        scale: the temperature, a factor of the cosines.

    Returns:
        A scalar: half the mean over captions of the loss to find their groups, plus half the mean over images of the
        loss to find their groups' captions. It is 0 if no caption is true.
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
    """The group that represents each caption of each image: int64 ``(B, U)``; see :func:`one_group`.

    The captions of one image get different groups. The assignment maximises the sum of the cosines, each minus the mean
    of its group. Without it, all captions would choose the group that first learned to be an object, and this group
    would then hold all objects. A caption that is not true of the image gets group 0, which has no meaning.
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
    """The unevenness of the groups' use over a batch: 0 if all groups are used equally, log G if only one is used.

    Args:
        share: ``(B, G, N)``, the degree to which each patch belongs to each group; sums to 1 over the groups.
    """
    used = share.mean((0, 2))
    return (used * (used.clamp(min=1e-9) * len(used)).log()).sum()


def _hard(others: Tensor, own: Tensor) -> Tensor:
    return F.softplus((others - own).clamp(min=-100))


def _mean(each: Tensor, true: Tensor, axis: int) -> Tensor:
    """The mean over rows (or columns) with true entries of the means over these entries."""
    counts = true.sum(axis)
    return (each.sum(axis) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)
