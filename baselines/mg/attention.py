"""MG's attention: where in the image a word lies on each level, and how well what lies there fits the word."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class WordMaps:
    """What an image shows of each word of its text.

    Attributes:
        heat: ``(B, T, h, w)``, the word's map on its best level, not negative, at most 1.
        score: ``(B, T)``, how well the best level fits the word, from 0 to 1.
        level: int64 ``(B, T)``, the place of the best level; of equal ones the first.
        level_score: ``(B, T, L)``, the score of every level.
    """

    heat: Tensor
    score: Tensor
    level: Tensor
    level_score: Tensor


def attend(pixels: Tensor, words: Tensor, squared: int = 0) -> tuple[Tensor, Tensor]:
    """Heats and scores of all words in all cells.

    The heat is the cosine of a word with a cell, where it is positive. The cells' vectors, weighted with it and summed,
    are what the word attends to; the cosine of that with the word is the score.

    Args:
        pixels: ``(…, N, D)``, unit length.
        words: ``(…, M, D)``, unit length; leading dimensions are broadcast.
        squared: how often the heat is squared; the authors' 0.

    Returns:
        Heats ``(…, M, N)``, and scores ``(…, M)``, which are 0 where a word has no heat.
    """
    heat = torch.matmul(pixels, words.transpose(-1, -2)).relu()
    for _ in range(squared):
        heat = heat.square()
    attended = torch.matmul(heat.transpose(-1, -2), pixels).float()
    length = attended.square().sum(-1).clamp(min=1e-12).rsqrt()
    return heat.transpose(-1, -2), (attended * words).sum(-1) * length


def best(heat: Tensor, score: Tensor) -> WordMaps:
    """Each word's map on the level that fits it best.

    Args:
        heat: ``(B, L, T, h, w)``.
        score: ``(B, L, T)``.
    """
    high, level = first_maximum(score.transpose(1, 2))
    chosen = level[:, None, :, None, None].expand(-1, 1, -1, *heat.shape[3:])
    return WordMaps(heat.gather(1, chosen)[:, 0], high, level, score.transpose(1, 2))


def first_maximum(x: Tensor) -> tuple[Tensor, Tensor]:
    """The largest value along the last dimension and its first place, which ``torch.max`` does not promise."""
    high = x.amax(-1)
    return high, (x == high[..., None]).int().argmax(-1)


def query_map(maps: WordMaps, lengths: Tensor) -> Tensor:
    """One map for each text: the average of its words' maps, weighted with their scores.

    Args:
        maps: of the words.
        lengths: int64 ``(B,)``, how many of the T words are a text's own; 0 is allowed.

    Returns:
        ``(B, h, w)``. A text whose words have no score at all has a map of zeros; the authors count it as wrong.
    """
    own = torch.arange(maps.score.shape[1], device=lengths.device)[None] < lengths[:, None]
    weights = maps.score * own
    total = weights.sum(1, keepdim=True)
    shares = weights / total.masked_fill(total == 0, 1)
    return torch.einsum("bt,bthw->bhw", shares, maps.heat.to(shares.dtype))
