"""GbS's loss: find each image in a blend of two by its text, and nothing by another text or by none."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tris_model.ranges import Rate

from .matching import matching_losses, sentence_of, unit_words
from .network import GbsNetwork


@dataclass(frozen=True, slots=True)
class GbsWeights:
    """What terms are multiplied by; the authors' are the default. The two of separation itself have 1.

    Attributes:
        unconditioned: of the map without a text, which shall be a half everywhere.
        negative: of the map under a text of another pair, which shall be 0.
        matching: of both terms that compare words and sentences with images; with 0 they are not computed.
    """

    unconditioned: Rate = 1.0
    negative: Rate = 1.0
    matching: Rate = 0.1


AUTHORS = GbsWeights()


def losses(
    net: GbsNetwork,
    first_images: Tensor,
    second_images: Tensor,
    first_words: Tensor,
    second_words: Tensor,
    first_mask: Tensor,
    second_mask: Tensor,
    alpha: Tensor,
    alpha1: Tensor | None = None,
    alpha2: Tensor | None = None,
    masks: Tensor | None = None,
    *,
    weights: GbsWeights = AUTHORS,
) -> dict[str, Tensor]:
    """The six terms of a step, each multiplied by its weight, and ``loss``, their sum.

    Args:
        net: the image network, in training mode where its BatchNorms shall use a batch's own statistics.
        first_images, second_images: ``(B, 3, H, W)``, two of a pair, as they are before they are blended.
        first_words, second_words: BERT's last hidden states of their texts, ``(B, T, D)``, with the rows of special
            tokens and padding; or ``(K * B, T, D)``, each image's K texts in a row, of which the first takes part in
            matching. T may differ: the shorter ones are padded with zeros.
        first_mask, second_mask: integers of the same shape without D: 0 at pieces of words, 1 at special tokens, 2 at
            padding.
        alpha: by which they are blended, ``alpha * first + (1 - alpha) * second``, ``(B, 1, H, W)``.
        alpha1, alpha2: what shall be found of each image; by default ``alpha`` and ``1 - alpha``.
        masks: where both images of a pair are, 0 or 1, ``(B, 1, H, W)``; by default everywhere.
        weights: of the terms.

    Returns:
        ``first``, ``second``, ``unconditioned``, ``negative``: squared differences of raw maps (nothing is cut to [0,
        1]) from their targets, which are the nearest pixels of the alphas; the sum over a map by the sum of its mask,
        the mean over maps. ``words``, ``sentences``: see :func:`baselines.gbs.matching.matching_losses`; both are left
        out where ``weights.matching`` is 0. ``loss``: the sum.
    """
    masks = torch.ones_like(alpha) if masks is None else masks
    blended = (alpha * first_images + (1 - alpha) * second_images) * masks
    sentences = [sentence_of(first_words, first_mask), sentence_of(second_words, second_mask)]
    clean = torch.cat([first_images, second_images]) if weights.matching else None
    maps = net.separate(blended, clean, *sentences)

    texts = len(first_words) // len(first_images)
    stride = net.config.stride
    inside = _shrunk(masks, stride)
    target1 = _shrunk(alpha if alpha1 is None else alpha1, stride).repeat_interleave(texts, 0)
    target2 = _shrunk(1 - alpha if alpha2 is None else alpha2, stride).repeat_interleave(texts, 0)
    each = inside.repeat_interleave(texts, 0)
    terms = {
        "first": _squares(maps.first, target1, each),
        "second": _squares(maps.second, target2, each),
        "unconditioned": weights.unconditioned * _squares(maps.unconditioned, torch.full_like(inside, 0.5), inside),
        "negative": weights.negative * _squares(maps.negative, torch.zeros_like(each), each),
    }
    if maps.pixels is not None:
        own = [unit_words(words[::texts], mask[::texts]) for words, mask in
               ((first_words, first_mask), (second_words, second_mask))]  # fmt: skip
        longest = max(words.shape[1] for words in own)
        padded = torch.cat([F.pad(words, (0, 0, 0, longest - words.shape[1])) for words in own])
        by_words, by_sentences = matching_losses(maps.pixels, padded, torch.cat([one[::texts] for one in sentences]))
        terms["words"] = weights.matching * by_words
        terms["sentences"] = weights.matching * by_sentences
    terms["loss"] = torch.stack(list(terms.values())).sum()
    return terms


def _shrunk(values: Tensor, stride: int) -> Tensor:
    """``(B, 1, H, W)`` -> every ``stride``-th pixel, the nearest one that torch chooses."""
    return F.interpolate(values, scale_factor=1 / stride, mode="nearest")


def _squares(maps: Tensor, targets: Tensor, inside: Tensor) -> Tensor:
    """The mean of squared differences within each mask, and its mean over maps."""
    squares = (maps - targets).square() * inside
    return (squares.flatten(1).sum(1) / inside.flatten(1).sum(1)).mean()
