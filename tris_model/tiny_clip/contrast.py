"""CLIP's contrastive loss for captions that are true of several images, and images with several true captions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_loss(images: Tensor, texts: Tensor, true: Tensor, scale: Tensor) -> Tensor:
    """Contrast every true caption of an image with all false ones, and every image likewise.

    With one true caption per image this is CLIP's cross entropy. True captions do not compete with one another.

    Args:
        images: ``(B, D)``, unit length.
        texts: ``(U, D)``, distinct captions, unit length.
        true: bool ``(B, U)``, whether a caption is true of an image. Images without a true caption are only negatives.
        scale: the temperature, a factor of the cosines.

    Returns:
        The mean of both directions, a scalar; 0 if no caption is true.
    """
    logits = scale * images @ texts.T
    return (_retrieval_loss(logits, true) + _retrieval_loss(logits.T, true.T)) / 2


def _retrieval_loss(logits: Tensor, true: Tensor) -> Tensor:
    """The loss of finding the true columns of each row: the mean over rows that have true columns."""
    others = logits.masked_fill(true, -torch.inf).logsumexp(1, keepdim=True)  # -inf where all are true
    each = F.softplus((others - logits).clamp(min=-100)) * true
    counts = true.sum(1)
    return (each.sum(1) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)


def choice_loss(texts: Tensor, own: Tensor, other: Tensor, scale: Tensor) -> Tensor:
    """The loss of choosing, of two images, the one that a text describes.

    Args:
        texts: ``(M, D)``, unit length.
        own, other: ``(M, D)``, unit length; the image that the text describes, and the other one.
        scale: the temperature, a factor of the cosines.

    Returns:
        Mean cross entropy, a scalar.
    """
    return F.softplus(scale * (texts * (other - own)).sum(1)).mean()
