"""Words and cells: where a word is found in an image, and which caption an image belongs to.

This branch is that of MultiGrounding (Akbari et al., CVPR 2019). All vectors have unit length. A word's heat on a level
is the positive part of its cosine with every cell. The level's score is the cosine of the word with what the heat picks
from the cells. Of all levels the one with the highest score counts.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

WORD_GAMMA, PAIR_GAMMA = 5.0, 10.0
SMALLEST = 1e-6


def unit_words(words: Tensor, mask: Tensor) -> Tensor:
    """Vectors of words at unit length, and 0 at special tokens and padding.

    Args:
        words: ``(N, T, D)``.
        mask: ``(N, T)``, 0 at pieces of words.
    """
    return F.normalize(words * mask.lt(1)[..., None], dim=-1)


def sentence_of(words: Tensor, mask: Tensor) -> Tensor:
    """The mean of the vectors of words, ``(N, T, D)`` -> ``(N, D)``; 0 for a text without one."""
    inside = mask.lt(1)[..., None]
    return (words * inside).sum(1) / inside.sum(1).clamp(min=1)


def words_heat(pixels: Tensor, words: Tensor) -> Tensor:
    """Where texts are found: the mean of their words' heats on their best levels, weighted by the words' scores.

    Args:
        pixels: of one image, as of :meth:`baselines.gbs.network.GbsNetwork.pixels`, ``(L, P, D)``.
        words: of N texts, as of :func:`unit_words`, ``(N, T, D)``.

    Returns:
        ``(N, P)`` in [0, 1].
    """
    heats = torch.einsum("ntd,lpd->ntlp", words, pixels).relu()
    found = F.normalize(torch.einsum("ntlp,lpd->ntld", heats, pixels), dim=3)
    scores, levels = torch.einsum("ntld,ntd->ntl", found, words).max(2)
    best = heats.gather(2, levels[..., None, None].expand(-1, -1, 1, heats.shape[3]))[:, :, 0]
    weights = scores / (scores.sum(1, keepdim=True) + SMALLEST)
    return (best * weights[..., None]).sum(1).clamp(0, 1)


def pair_scores(pixels: Tensor, words: Tensor) -> Tensor:
    """The best level's score of every word in every image.

    Args:
        pixels: ``(C, L, P, D)``.
        words: ``(N, T, D)``.

    Returns:
        ``(N, C, T)``; 0 where a word is padding.
    """
    flat = words.flatten(0, 1)
    heats = torch.einsum("md,clpd->mclp", flat, pixels).relu()
    found = F.normalize(torch.einsum("mclp,clpd->mcld", heats, pixels), dim=3)
    return torch.einsum("mcld,md->mcl", found, flat).amax(2).unflatten(0, words.shape[:2]).transpose(1, 2)


def matching_losses(pixels: Tensor, words: Tensor, sentences: Tensor) -> tuple[Tensor, Tensor]:
    """How badly captions find their images, and images their captions: by words, and by whole sentences.

    As the authors compute it, padding counts among a caption's words, with a score of 0 for each. So a caption's loss
    depends on how long the longest caption beside it is.

    Args:
        pixels: of C images, see above.
        words: of C captions in the same order, ``(C, T, D)`` as of :func:`unit_words`.
        sentences: ``(C, D)``, of any length.

    Returns:
        Two numbers, both directions added.
    """
    by_words = (WORD_GAMMA * pair_scores(pixels, words)).logsumexp(2) / WORD_GAMMA
    by_sentences = pair_scores(pixels, F.normalize(sentences, dim=-1)[:, None])[..., 0]
    return _contrast(by_words), _contrast(by_sentences)


def _contrast(scores: Tensor) -> Tensor:
    """The own pair against all others, over captions and over images: ``(C, C)`` -> a number."""
    logits = PAIR_GAMMA * scores
    over_captions, over_images = (logits.log_softmax(axis).diagonal().mean() for axis in (0, 1))
    return -(over_captions + over_images)
