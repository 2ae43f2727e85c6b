"""CLIP's contrast, with captions that several pictures share and pictures that several captions fit."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_loss(images: Tensor, texts: Tensor, true: Tensor, scale: Tensor) -> Tensor:
    """Every caption that is true of a picture is set against all that are not, and every picture likewise.

    With one true caption a picture this is CLIP's cross entropy. Several do not compete with one another.

    Args:
        images: ``(B, D)``, unit length.
        texts: ``(U, D)``, distinct captions, unit length.
        true: bool ``(B, U)``. Pictures without a true caption count as what captions are not true of.
        scale: the temperature, by which cosines are multiplied.

    Returns:
        The mean of both directions, a scalar; 0 where nothing is true.
    """
    logits = scale * images @ texts.T
    return (_found(logits, true) + _found(logits.T, true.T)) / 2


def _found(logits: Tensor, true: Tensor) -> Tensor:
    """How hard the true columns of each row are to find: the mean over rows that have some."""
    others = logits.masked_fill(true, -torch.inf).logsumexp(1, keepdim=True)  # -inf where all are true
    each = F.softplus((others - logits).clamp(min=-100)) * true
    counts = true.sum(1)
    return (each.sum(1) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)


def choice_loss(texts: Tensor, own: Tensor, other: Tensor, scale: Tensor) -> Tensor:
    """Of two pictures, which does a text mean?

    Args:
        texts: ``(M, D)``, unit length.
        own, other: ``(M, D)``, unit length; the picture that it means and the one that it does not.
        scale: the temperature.

    Returns:
        Mean cross entropy, a scalar.
    """
    return F.softplus(scale * (texts * (other - own)).sum(1)).mean()
