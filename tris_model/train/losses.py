"""The losses of TRIS. Equation numbers are the paper's; the score of eq. 6 is :func:`tris_model.network.stage1.score`.

Shapes: B images, N texts in the batch, K negatives per image, D the scorer's feature size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LOWEST, HIGHEST = 1e-4, 0.9999  # between which the authors clamp the cosine (since 2023-12-29)


def classification(scores: Tensor, own: Tensor) -> Tensor:
    """Equation 7: binary classification of every image-text pair; only an image's own text is positive.

    If an object or an image occurs twice in a batch, its texts count as negatives for each other, as in the authors'
    code.

    Args:
        scores: ``(B, N)``, raw logits of eq. 6.
        own: int64 ``(B,)``, the index of each image's own text.
    """
    return F.multilabel_soft_margin_loss(scores, F.one_hot(own, scores.shape[1]).to(scores.dtype))


def positive(image_features: Tensor, text_features: Tensor, *, clamped: bool = True) -> Tensor:
    """Equation 8: the masked image should be similar to its text for the frozen scorer.

    Args:
        image_features: ``(B, D)``, features of the masked images.
        text_features: ``(B, D)``, features of their texts.
        clamped: clamp the cosine above 0; without it, a cosine of 0 or less gives NaN (as in the authors' first
            release).
    """
    cosine = F.cosine_similarity(image_features, text_features, dim=1)
    return -torch.log(cosine.clamp(LOWEST, HIGHEST) if clamped else cosine).mean()


def negative(image_features: Tensor, text_features: Tensor) -> Tensor:
    """Equation 9: the masked image should not be similar to texts of other objects in the same image.

    Args:
        image_features: ``(B, D)``.
        text_features: ``(B, K, D)``.
    """
    return -torch.log1p(-F.cosine_similarity(image_features[:, None], text_features, dim=2)).mean()


def visible(images: Tensor, masks: Tensor, side: int) -> Tensor:
    """Masked images at the scorer's input size.

    Masks and ImageNet-normalised images are resized separately (corners aligned) and multiplied, so masked pixels have
    the mean colour. CLIP's own normalisation is never applied, as in the authors' code.

    Args:
        images: ``(B, 3, H, W)``.
        masks: ``(B, 1, H, W)``.
        side: side of the scorer's input in pixels.

    Returns:
        ``(B, 3, side, side)``.
    """
    return _resized(images, side) * _resized(masks, side)


def _resized(x: Tensor, side: int) -> Tensor:
    if x.shape[-2:] == (side, side):
        return x
    return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=True)


def segmentation(logits: tuple[Tensor, ...], masks: Tensor, weight: float = 1.0) -> Tensor:
    """Stage 2: binary cross entropy between the pseudo mask and the final and the three auxiliary logits.

    Args:
        logits: each ``(B, 1, H, W)``.
        masks: float ``(B, 1, H, W)`` of 0 and 1.
        weight: weight of a mask pixel relative to a background pixel.
    """
    heavy = masks.new_tensor(weight)
    return torch.stack([F.binary_cross_entropy_with_logits(one, masks, pos_weight=heavy) for one in logits]).sum()
