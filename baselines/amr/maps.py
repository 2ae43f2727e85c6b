"""Class maps of an image: Grad-CAM over scales and mirror images, the sum of both branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from risbench import UsageError
from tris_model.clip import DEVIATION, MEAN

from .climbing import climbed
from .gradcam import gradcam

SCALES = (1.0, 0.5, 0.75, 1.25, 1.5, 1.75, 2.0)  # the authors'
ADV_ITER = 27
SHORTENED = 0.5  # the scale that the authors climb fewer times
Branch = tuple[Callable[[Tensor], Tensor], Tensor]


def paired(image: np.ndarray, scale: float) -> Tensor:
    """An image at a scale, and its mirror image.

    Args:
        image: uint8 ``(H, W, 3)``.
        scale: of both sides, which are rounded to whole pixels and are at least 1.

    Returns:
        float32 ``(2, 3, h, w)``, by ImageNet's mean and deviation.
    """
    height, width = (max(1, int(np.round(side * scale))) for side in image.shape[:2])
    if (height, width) != image.shape[:2]:
        picture = Image.fromarray(np.ascontiguousarray(image))
        image = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    pixels = torch.from_numpy(normalised_pixels(image)).permute(2, 0, 1)
    return torch.stack([pixels, pixels.flip(-1)])


def normalised_pixels(image: np.ndarray) -> np.ndarray:
    """uint8 ``(H, W, 3)`` -> float32 of the same shape, by ImageNet's mean and deviation; rounded once."""
    return ((image / 255.0 - MEAN) / DEVIATION).astype(np.float32)


def steps_of(scale: float, adv_iter: int) -> int:
    """How often a class is looked at, at a scale.

    The authors climb scale 0.5 fewer times than the others: half as often where ``adv_iter`` exceeds 10, and 5 times
    where it is 6 to 10.
    """
    if scale != SHORTENED or adv_iter < 6:
        return adv_iter
    return adv_iter // 2 if adv_iter > 10 else 5


def fused_maps(
    branches: Sequence[Branch],
    image: np.ndarray,
    classes: Sequence[int],
    *,
    scales: Sequence[float] = SCALES,
    adv_iter: int = ADV_ITER,
) -> tuple[Tensor, Tensor]:
    """See :func:`baselines.amr.fused_maps`."""
    if adv_iter < 1:
        raise UsageError(f"adv_iter={adv_iter}: give 1 or more")
    if not scales or min(scales) <= 0:
        raise UsageError(f"scales={tuple(scales)}: give at least one number above 0")
    height, width = image.shape[:2]
    small = ((height - 1) // 4 + 1, (width - 1) // 4 + 1)
    whole = (16 * ((height - 1) // 16 + 1), 16 * ((width - 1) // 16 + 1))
    labels = list(classes)
    if not labels:
        return torch.zeros(0, *small), torch.zeros(0, height, width)
    # As theirs: the multiplier is chosen at scale 0.5, which goes first, and stays for all scales.
    multiplier = 2 if adv_iter > 10 else 1
    sums = [[torch.zeros(len(labels), *size) for size in (small, whole)] for _ in branches]
    for scale in sorted(scales):
        pair = paired(image, scale)
        for (features, head), (cam, high) in zip(branches, sums, strict=True):
            maps = multiplier * _at_scale(features, head, pair, labels, steps_of(scale, adv_iter)).float().cpu()
            cam += resized_maps(maps, small)
            high += resized_maps(maps, whole)
    cams, highs = zip(*sums, strict=True)
    return _averaged(cams), _averaged([high[:, :height, :width] for high in highs])


def _at_scale(
    features: Callable[[Tensor], Tensor], head: Tensor, pair: Tensor, labels: Sequence[int], steps: int
) -> Tensor:
    """The maps ``(N, h, w)`` of some classes at one scale, each summed over its steps."""
    pair = pair.to(head.device)
    if steps > 1:
        return torch.stack([climbed(features, head.detach(), pair, label, steps) for label in labels])
    with torch.no_grad():  # all classes share one forward pass
        return gradcam(features(pair), head[labels])


def resized_maps(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Maps ``(N, h, w)`` at another size, bilinear with half-pixel centres; as they are where it is theirs."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def _averaged(branches: Sequence[Tensor]) -> Tensor:
    """The mean of the branches' maps, each class of each divided by its maximum; not divided again."""
    return torch.stack([maps / (maps.amax((1, 2), keepdim=True) + 1e-5) for maps in branches]).mean(0)
