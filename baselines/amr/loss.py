"""What AMR makes small: both branches classify the image, and the modulated branch's maps stay near the plain ones'.

``loss = 0.5 msm(y1) + 0.5 msm(y2) + 0.05 mean |CAM1 - CAM2|``, msm being the multi-label soft margin loss.
"""

from __future__ import annotations

from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor

from risbench import UsageError

Quirks = Literal["authors", "repaired"]
CLASSIFICATION, AGREEMENT = 0.5, 0.05


def losses(
    network: Any, images: Tensor, labels: Tensor, *, quirks: Quirks = "authors", validating: bool = False
) -> dict[str, Tensor]:
    """The terms of a batch.

    The logits of the plain branch are constants, so its term changes no weight; its classifier learns from the
    difference of the maps alone.

    Args:
        network: an :class:`~baselines.amr.network.AmrNetwork`, or what averages its gradients over ranks.
        images: ``(B, 3, H, W)`` float32, normalised.
        labels: ``(B, C)`` float32, 1 for every class that the image shows, else 0.
        quirks: ``authors``, the difference of the maps as their program computes it. It was written for an image and
            its mirror image: image 0 of the batch plus the mirrored map of image 1, for each branch. Their batches are
            shuffled, so these are two unrelated images, and the others do not count. ``repaired``: every image's own
            maps.
        validating: leave class 0 out of that difference, as the authors' validation does.

    Returns:
        Scalars: ``classification1`` and ``classification2`` (the two msm), ``agreement`` (the mean difference), each
        without its weight, and ``loss``, their weighted sum.

    Raises:
        UsageError: a batch of one image, which has no second one.
    """
    maps1, maps2 = network(images, learning=True)
    first = F.multilabel_soft_margin_loss(maps1.mean((2, 3)).detach(), labels)
    second = F.multilabel_soft_margin_loss(maps2.mean((2, 3)), labels)
    cams1, cams2 = F.relu(maps1), F.relu(maps2)
    if quirks == "authors":
        if len(images) < 2:
            raise UsageError("AMR's loss compares the maps of two images of a batch; give a batch of at least 2")
        cams1, cams2 = (cams[0] + cams[1].flip(-1) for cams in (cams1, cams2))
    if validating:
        cams1, cams2 = (cams.movedim(-3, 0)[1:] for cams in (cams1, cams2))
    agreement = (cams1 - cams2).abs().mean()
    return {
        "classification1": first,
        "classification2": second,
        "agreement": agreement,
        "loss": CLASSIFICATION * (first + second) + AGREEMENT * agreement,
    }
