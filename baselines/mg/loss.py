"""MG's loss: an image's own caption fits it better than the batch's other captions, and the reverse.

The network learns where words are only because a caption's score is made of what its words attend to.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .attention import attend
from .network import MgNetwork
from .text import ElmoLayers

GAMMA_WORDS, GAMMA_MATCH = 5.0, 10.0
REGULARISER = 0.0005


def losses(
    pixels: Tensor,
    words: Tensor,
    sentences: Tensor,
    mask: Tensor | None = None,
    *,
    gamma_words: float = GAMMA_WORDS,
    gamma_match: float = GAMMA_MATCH,
    sentence: str = "max",
    squared: int = 0,
) -> dict[str, Tensor]:
    """The four terms, and ``loss``, their sum: ``losses(*net(images, words, lstm1, lstm2, lengths))``.

    A word's score in an image is that of its best level. A caption's score from its words is
    ``R = log((sum over words of exp(5 R_word)) ^ (1/5))``; that from its sentence is the sentence's own on its best
    level. Each is turned into probabilities by a softmax of ``10 R``, over the captions of an image and over the images
    of a caption. A term is the mean of ``-log`` of what the true pairs get.

    Args:
        pixels: ``(B, L, N, D)``, unit length.
        words: ``(K * B, T, D)``, unit length: the K captions of each image in a row; the authors' K is 1. With more,
            the k-th captions of the images are compared with one another, and the terms are means over k.
        sentences: ``(K * B, D)``, unit length.
        mask: bool ``(K * B, T)``, which words count; by default all, padding included, as in the authors' program.
        gamma_words, gamma_match: the 5 and the 10.
        squared: see :func:`baselines.mg.attention.attend`.
        sentence: ``max`` over the levels; ``mean`` as in the authors' older notebooks.

    Returns:
        Scalars: ``word_captions`` (softmax over captions), ``word_images`` (over images), ``sentence_captions``,
        ``sentence_images``, and ``loss``. The authors print it with :func:`regulariser` added.
    """
    count, length, width = words.shape
    both = torch.cat([words.reshape(count * length, width), sentences])
    # One level of one image at a time, so that what lies between stays in the processor's cache: (B, L, C * T + C).
    each = [attend(cells, both, squared)[1] for cells in pixels.flatten(0, 1)]
    scores = torch.stack(each).unflatten(0, pixels.shape[:2])
    of_words = scores[..., : count * length].amax(1).unflatten(1, (count, length)) * gamma_words
    if mask is not None:
        of_words = of_words.masked_fill(~mask, -torch.inf)
    of_sentences = scores[..., count * length :]
    of_sentences = of_sentences.amax(1) if sentence == "max" else of_sentences.mean(1)
    terms = {}
    for name, score in (("word", of_words.logsumexp(2) / gamma_words), ("sentence", of_sentences)):
        # From (images, captions) to (k, captions, images).
        table = gamma_match * score.unflatten(1, (len(pixels), -1)).permute(2, 1, 0)
        terms[f"{name}_captions"] = -table.log_softmax(1).diagonal(dim1=1, dim2=2).mean()
        terms[f"{name}_images"] = -table.log_softmax(2).diagonal(dim1=1, dim2=2).mean()
    return {**terms, "loss": torch.stack(list(terms.values())).sum()}


def regulariser(network: MgNetwork, *, trunk: bool = False) -> Tensor:
    """0.0005 / 2 times the squares of the heads' kernels, and of the mixing weights of ELMo's layers; a scalar.

    Args:
        network: any.
        trunk: add the trunk's kernels. It does not learn, so this is a constant of the figures that the authors print;
            they also hold the squares of two dense layers (fc6 and fc7) that nothing reads and no file of ours keeps.
    """
    kernels = [weight for weight in network.image_mapping.parameters() if weight.ndim == 4]
    if isinstance(network.text, ElmoLayers):
        kernels.append(network.text.Aggr_W)
    if trunk:
        kernels += [weight for weight in network.vgg.parameters() if weight.ndim == 4]
    return REGULARISER / 2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()
