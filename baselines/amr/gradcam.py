"""Grad-CAM in closed form, where a linear head follows the features.

The score of a class is the sum of its positive logits over both images of a pair. Its gradient at the features is the
class's row of the head at every position whose logit is positive, and 0 elsewhere. So no backward pass is needed: the
weights of the channels are that row times ``P_b / (K (P_0 + P_1))``, with P_b the positions of image b whose logit is
positive, and K the positive entries of the row.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def gradcam(features: Tensor, rows: Tensor) -> Tensor:
    """Grad-CAM of several classes in closed form.

    Args:
        features: of an image and its mirror image, ``(2, K, h, w)``.
        rows: of the head, one a class: ``(N, K)``.

    Returns:
        ``(N, h, w)``: the map of the image plus the mirrored map of its mirror image. The gradient goes through the
        features and not through the channels' weights.
    """
    logits = torch.einsum("bkhw,nk->nbhw", features, rows)
    positions = (logits > 0).sum((2, 3)).to(logits.dtype)  # (N, 2)
    entries = (rows > 0).sum(1).to(logits.dtype)  # (N,)
    share = positions / (entries * positions.sum(1) + 1e-12)[:, None]
    maps = F.relu(logits) * share[:, :, None, None]
    return maps[:, 0] + maps[:, 1].flip(-1)
