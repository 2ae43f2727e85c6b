"""The text side of MG: word and sentence vectors from ELMo's layers, and two dense layers into the common space."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .config import MgConfig
from .vgg import SLOPE, unit


class ElmoLayers(nn.Module):
    """Three layers of ELMo become a vector for each word, and two of them one for the sentence.

    The names are the authors': ``Aggr_W``, the weights of the three layers before their softmax, and ``dense``, which
    mixes the sentence's vectors of the two LSTM layers.
    """

    def __init__(self, config: MgConfig):
        super().__init__()
        self.Aggr_W = nn.Parameter(torch.zeros(3))
        self.dense = nn.Linear(2, 1, bias=False)
        self._mix = config.mix

    def forward(self, words: Tensor, lstm1: Tensor | None, lstm2: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
        """Word vectors ``(B, T, 2 E)`` and sentence vectors ``(B, 2 E)``; see :meth:`MgNetwork.encode_text`."""
        if lstm1 is None or lstm2 is None:
            raise ValueError("the variant with ELMo needs the outputs of both of its LSTM layers")
        sentences = [ends(layer, last) for layer in (lstm1, lstm2)]
        sentence = self.dense(torch.stack(sentences, 2))[..., 0]
        if self._mix == "given":
            return words, sentence
        # The authors add 1/3 to each weight, which changes no softmax. There is no factor in front.
        shares = self.Aggr_W.softmax(0) if self._mix == "stored" else torch.full_like(self.Aggr_W, 1 / 3)
        layers = (torch.cat([words, words], 2), lstm1, lstm2)
        return sum(share * layer for share, layer in zip(shares, layers, strict=True)), sentence  # pyright: ignore


class BilstmLayers(nn.Module):
    """A BiLSTM on the character CNN's vectors (or on a learnt embedding), mixed with them by one dense layer."""

    def __init__(self, config: MgConfig):
        super().__init__()
        if config.vocabulary:
            self.embedding = nn.Embedding(config.vocabulary, config.embed, padding_idx=0)
        self.lstm = nn.LSTM(config.embed, config.embed, batch_first=True, bidirectional=True)
        self.dense = nn.Linear(2, 1)

    def forward(self, words: Tensor, lstm1: Tensor | None, lstm2: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`ElmoLayers`; the LSTM layers of ELMo are not read. Words may be ids of the vocabulary."""
        if not words.is_floating_point():
            words = self.embedding(words)
        packed = pack_padded_sequence(words, (last + 1).cpu(), batch_first=True, enforce_sorted=False)
        layer, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=words.shape[1])
        both = torch.stack([torch.cat([words, words], 2), layer.to(words.dtype)], 3)
        return self.dense(both)[..., 0], ends(layer, last)


def ends(layer: Tensor, last: Tensor) -> Tensor:
    """What an LSTM layer knows of a whole sentence: the backward half at the first word, the forward half at the last.

    Args:
        layer: ``(B, T, 2 E)``, forward half first.
        last: int64 ``(B,)``, the place of each sentence's last word.

    Returns:
        ``(B, 2 E)``, backward half first.
    """
    half = layer.shape[2] // 2
    rows = torch.arange(len(layer), device=layer.device)
    return torch.cat([layer[:, 0, half:], layer[rows, last, :half]], 1)


class DensePair(nn.Module):
    """Two dense layers with a leaky ReLU after each; unit length after both, or after the second alone."""

    def __init__(self, before: int, after: int, norm: str):
        super().__init__()
        self.dense = nn.Linear(before, after)
        self.dense_1 = nn.Linear(after, after)
        self._each = norm == "each"

    def forward(self, x: Tensor) -> Tensor:
        """``(…, before)`` -> ``(…, after)``, unit length."""
        x = F.leaky_relu(self.dense(x), SLOPE)
        return unit(F.leaky_relu(self.dense_1(unit(x) if self._each else x), SLOPE))
