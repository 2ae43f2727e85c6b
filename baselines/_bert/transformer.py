"""BERT's encoder (Devlin et al., NAACL 2019), under the key names of the published files.

Words become vectors: word, position and token type are added and normalised, and each layer attends to all words and
normalises after every sum. Attention is computed in float32 with an additive mask of -10000 on padding, the GELU is the
exact one, and LayerNorm's epsilon is 1e-12, all as published.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tris_model.ranges import Count, Share

EPSILON = 1e-12
PADDING = -10000.0  # what is added to the attention to a padding token
DEVIATION = 0.02  # of the weights before they learn


@dataclass(frozen=True, slots=True)
class BertSizes:
    """The sizes of a BERT; the defaults are those of BERT-base, uncased.

    Attributes:
        vocabulary: tokens.
        positions: the longest text in tokens.
        width: channels of a token.
        depth: layers.
        heads: of every attention.
        hidden: channels inside a layer's perceptron.
        dropout: of embeddings, attentions and sums, in training mode alone.
    """

    vocabulary: Count = 30522
    positions: Count = 512
    width: Count = 768
    depth: Count = 12
    heads: Count = 12
    hidden: Count = 3072
    dropout: Share = 0.1


class Bert(nn.Module):
    """The encoder, without the pooler that only sentence pairs need."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        if sizes.width % sizes.heads:
            raise ValueError(f"{sizes.width} channels do not fall into {sizes.heads} heads")
        self.sizes = sizes
        self.embeddings = BertEmbeddings(sizes)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(BertLayer(sizes) for _ in range(sizes.depth))})

    def forward(self, token_ids: Tensor, token_mask: Tensor) -> Tensor:
        """The last hidden state of every token.

        Args:
            token_ids: int64 ``(B, L)``.
            token_mask: ``(B, L)``, 1 on tokens and 0 on padding, of any type.

        Returns:
            ``(B, L, width)``.
        """
        x = self.embeddings(token_ids)
        penalty = (1 - token_mask[:, None, None, :].to(x.dtype)) * PADDING
        for layer in self.layers:
            x = layer(x, penalty)
        return x

    @property
    def layers(self) -> nn.ModuleList:
        """The layers, the first one first."""
        layers = self.encoder["layer"]
        assert isinstance(layers, nn.ModuleList)
        return layers


class BertEmbeddings(nn.Module):
    """Word + position + token type, normalised. All tokens are of type 0, the first sentence."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        self.word_embeddings = nn.Embedding(sizes.vocabulary, sizes.width, padding_idx=0)
        self.position_embeddings = nn.Embedding(sizes.positions, sizes.width)
        self.token_type_embeddings = nn.Embedding(2, sizes.width)
        self.LayerNorm = nn.LayerNorm(sizes.width, EPSILON)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, token_ids: Tensor) -> Tensor:
        """``(B, L)`` -> ``(B, L, width)``."""
        places = torch.arange(token_ids.shape[1], device=token_ids.device)
        first = self.token_type_embeddings.weight[0]
        x = self.word_embeddings(token_ids) + self.position_embeddings(places) + first
        return self.dropout(self.LayerNorm(x))


class BertLayer(nn.Module):
    """Attention, then a perceptron; each is added to its input and the sum normalised."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        self.heads, self.dropout = sizes.heads, sizes.dropout
        names = ("query", "key", "value")
        projections = nn.ModuleDict({name: nn.Linear(sizes.width, sizes.width) for name in names})
        self.attention = nn.ModuleDict({"self": projections, "output": BertSum(sizes.width, sizes)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(sizes.width, sizes.hidden)})
        self.output = BertSum(sizes.hidden, sizes)

    def forward(self, x: Tensor, penalty: Tensor) -> Tensor:
        """``(B, L, width)`` and what is added to the attention, ``(B, 1, 1, L)`` -> ``(B, L, width)``."""
        projections = self.attention["self"]
        assert isinstance(projections, nn.ModuleDict)
        query, key, value = (self._split(projections[name](x)) for name in ("query", "key", "value"))
        scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5 + penalty
        weights = F.dropout(scores.softmax(3), self.dropout, self.training)
        x = self.attention["output"]((weights @ value).transpose(1, 2).flatten(2), x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)

    def _split(self, x: Tensor) -> Tensor:
        """``(B, L, width)`` -> ``(B, heads, L, width / heads)``."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class BertSum(nn.Module):
    """A projection, added to what went in before and normalised."""

    def __init__(self, channels: int, sizes: BertSizes):
        super().__init__()
        self.dense = nn.Linear(channels, sizes.width)
        self.LayerNorm = nn.LayerNorm(sizes.width, EPSILON)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, new: Tensor, before: Tensor) -> Tensor:
        """``(B, L, channels)`` and ``(B, L, width)`` -> ``(B, L, width)``."""
        return self.LayerNorm(self.dropout(self.dense(new)) + before)


@torch.no_grad()
def draw_weights(bert: Bert, *, by_width: bool = False) -> None:
    """Weights as BERT draws them before it learns: normal with deviation 0.02, biases 0, norms 1.

    Args:
        bert: changed in place.
        by_width: let the deviation follow from the width, ``width ** -0.5``. 0.02 is chosen for 768 channels, and in a
            small BERT all attentions begin even.
    """
    for module in bert.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            module.weight.normal_(std=module.weight.shape[1] ** -0.5 if by_width else DEVIATION)
        if isinstance(module, nn.Linear):
            module.bias.zero_()
    bert.embeddings.word_embeddings.weight[0].zero_()
