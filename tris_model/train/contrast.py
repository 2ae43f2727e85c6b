"""CLIP's contrast, with captions that several pictures share."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def contrast(images: Tensor, texts: Tensor, which: Tensor, scale: Tensor) -> Tensor:
    """Each picture must find its caption among the distinct ones, each caption its pictures among all.

    Args:
        images: ``(B, D)``, unit length.
        texts: ``(U, D)``, distinct captions, unit length.
        which: int64 ``(B,)``, the caption of each picture.
        scale: the temperature, by which cosines are multiplied.

    Returns:
        The mean of both directions' cross entropies, a scalar.
    """
    logits = scale * images @ texts.T
    own = F.one_hot(which, len(texts)).to(logits.dtype)
    own = own / own.sum(0).clamp(min=1)  # every caption's pictures share its weight
    found = -(own * logits.log_softmax(0)).sum() / len(texts)
    return (F.cross_entropy(logits, which) + found) / 2
