"""WWbL's loss: a small map that covers what CLIP finds relevant, and leaves nothing for CLIP to find outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tris_model.ranges import Rate

AUTHORS_SIDE = 224
Pairs = Literal["all", "own"]


@dataclass(frozen=True, slots=True)
class WWbLWeights:
    """What each term is multiplied by; the authors' are the default.

    Attributes:
        area: of the mean of the map.
        relevance: of the squared difference from CLIP's relevance map.
        background: of what CLIP still finds where the map is low.
        foreground: of what CLIP does not find where it is high.
    """

    area: Rate = 0.25
    relevance: Rate = 16.0
    background: Rate = 0.5
    foreground: Rate = 0.25


AUTHORS = WWbLWeights()


def losses(
    maps: Tensor,
    relevance: Tensor,
    foreground: Tensor,
    background: Tensor,
    text: Tensor,
    *,
    weights: WWbLWeights = AUTHORS,
    pairs: Pairs = "all",
    side: int = AUTHORS_SIDE,
) -> dict[str, Tensor]:
    """The four terms, each multiplied by its weight, and ``loss``, their sum.

    Args:
        maps: the network's output ``(B, 1, S, S)``, after the sigmoid.
        relevance: CLIP's relevance of the same images and texts, ``(B, 1, s, s)`` in [0, 1], of any size (the authors':
            224); it is enlarged to S bilinearly with aligned corners, and gets no gradient.
        foreground: CLIP's features of ``image * map``, ``(B, D)``; see :func:`masked`. They are normalised here.
        background: CLIP's features of ``image * (1 - map)``, ``(B, D)``.
        text: CLIP's text features, ``(B, D)``, unit length.
        weights: of the terms.
        pairs: ``all``, as the authors' code computes: both CLIP terms are means over all B x B pairs of an image with
            a text, so that every image is pulled to the texts of all others too. ``own``: over each image with its own
            text, as the paper's formula reads.
        side: at which the area is measured, in pixels.

    Returns:
        Scalars: ``area`` = 0.25 * mean of the map at 224 x 224, ``relevance`` = 16 * mean squared difference at S x S,
        ``background`` = 0.5 * mean ``|z_background . t|``, ``foreground`` = 0.25 * mean ``(1 - z_foreground . t)``, and
        ``loss``.
    """
    target = aligned(relevance.detach().to(maps.dtype), maps.shape[2])
    terms = {
        "area": weights.area * aligned(maps, side).mean(),
        "relevance": weights.relevance * F.mse_loss(maps, target),
        "background": weights.background * _cosines(background, text, pairs).abs().mean(),
        "foreground": weights.foreground * (1 - _cosines(foreground, text, pairs)).mean(),
    }
    return {**terms, "loss": torch.stack(list(terms.values())).sum()}


def masked(images: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Images of what a map shows, and of what it hides.

    Args:
        images: ``(B, 3, s, s)`` as CLIP gets them: normalised, so that what is hidden becomes mid-grey and not black.
        maps: ``(B, 1, S, S)``; they are resized to the images, with aligned corners.

    Returns:
        ``image * map`` and ``image * (1 - map)``, each ``(B, 3, s, s)``.
    """
    maps = aligned(maps, images.shape[2])
    return images * maps, images * (1 - maps)


def disagreement(gates: Tensor, relevance: Tensor) -> Tensor:
    """How little the gate's cosines go up and down with CLIP's relevance: 1 less their correlation over an image.

    It is none of the authors' terms. A trunk that starts from nothing, and not from ImageNet, has no features among
    which a text could choose, and through the decoder alone it learns them slowly.

    Args:
        gates: ``(N, 1, h, w)``.
        relevance: ``(N, 1, S, S)``; its mean over each cell counts.

    Returns:
        The mean over the maps, from 0 to 2; a scalar.
    """
    height, width = gates.shape[2:]
    wanted = F.adaptive_avg_pool2d(relevance.detach(), (height, width))
    one, other = (part.flatten(1) - part.flatten(1).mean(1, keepdim=True) for part in (gates, wanted))
    return (1 - F.cosine_similarity(one, other, dim=1, eps=1e-6)).mean()


def aligned(maps: Tensor, side: int) -> Tensor:
    """``(B, C, s, s)`` at another size, ``(B, C, side, side)``: bilinear with aligned corners."""
    if maps.shape[2:] == (side, side):
        return maps
    return F.interpolate(maps, size=(side, side), mode="bilinear", align_corners=True)


def _cosines(images: Tensor, text: Tensor, pairs: Pairs) -> Tensor:
    unit = F.normalize(images, dim=1)
    return unit @ text.T if pairs == "all" else (unit * text).sum(1)
