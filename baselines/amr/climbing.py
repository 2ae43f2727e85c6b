"""Adversarial climbing (Lee et al., CVPR 2021): change an image so that its class shows in more places.

Each step adds the class's map to a sum, and then moves the pixels so that the class's logit grows and the others' do
not, while what already responds strongly stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .gradcam import gradcam

STEP = 0.08  # of the normalised pixels, at the pixel with the largest gradient
HOLD = 7.0  # weight of what holds the strong places as they are
STRONG = 0.5  # of a map's maximum


def climbed(features: Callable[[Tensor], Tensor], head: Tensor, pair: Tensor, label: int, steps: int) -> Tensor:
    """The sum of a class's maps over the steps.

    The image and its mirror image are climbed as independent pixels. A step needs one forward and one backward pass,
    the last only a forward pass: what it would change nobody looks at.

    Args:
        features: images ``(2, 3, H, W)`` to ``(2, K, h, w)``.
        head: ``(C, K)``.
        pair: an image and its mirror image, ``(2, 3, H, W)``, normalised; not changed.
        label: the class.
        steps: at least 1.

    Returns:
        ``(h, w)``, not negative.
    """
    total = start = None
    for step in range(steps):
        last = step + 1 == steps
        pixels = pair.detach().requires_grad_(not last)
        with torch.set_grad_enabled(not last):
            found = features(pixels)
            region = gradcam(found, head[label : label + 1])[0]
        fixed = region.detach()
        total = fixed if total is None else total + fixed
        start = fixed if start is None else start
        if not last:
            with torch.enable_grad():
                aim = objective(found, head, label, region, start)
            (gradient,) = torch.autograd.grad(aim, pixels)
            pair = moved(pixels.detach(), gradient)
    assert total is not None
    return total


def objective(features: Tensor, head: Tensor, label: int, region: Tensor, start: Tensor) -> Tensor:
    """What a step climbs: ``2 L_c - sum_k L_k - 7 sum |region - start| M``.

    Args:
        features: ``(2, K, h, w)``.
        head: ``(C, K)``.
        label: the class c.
        region: its map ``(h, w)``, with its gradient.
        start: its map of the first step.

    Returns:
        A scalar. L_k is the spatial mean of class k's positive logits, summed over the pair; M is 1 where this step's
        map exceeds half of its maximum.
    """
    means = F.relu(torch.einsum("bkhw,ck->bchw", features, head)).mean((2, 3)).sum(0)
    strong = (region / region.max() > STRONG).to(region.dtype).detach()
    return 2 * means[label] - means.sum() - HOLD * ((region - start).abs() * strong).sum()


def moved(pixels: Tensor, gradient: Tensor) -> Tensor:
    """Pixels one step up the gradient, within the range that the current pair has."""
    moved = pixels + STEP * gradient / (gradient.abs().max() + 1e-12)
    return moved.clamp(float(pixels.min()), float(pixels.max()))
