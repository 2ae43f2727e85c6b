"""LAVT's loss: cross-entropy of every pixel, in which the object counts more than the background."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

BACKGROUND, OBJECT = 0.9, 1.1


def loss(logits: Tensor, masks: Tensor, background: float = BACKGROUND, target: float = OBJECT) -> Tensor:
    """The mean over all pixels of a batch, weighted by their class; the weights' sum is the divisor.

    Args:
        logits: ``(B, 2, H, W)``: background, object.
        masks: ``(B, H, W)``, bool or numbers: 0 on the background and 1 on the object.
        background: the weight of a pixel of the background; the authors' is 0.9.
        target: the weight of a pixel of the object; the authors' is 1.1.

    Returns:
        A scalar.
    """
    return F.cross_entropy(logits, masks.long(), logits.new_tensor((background, target)))
