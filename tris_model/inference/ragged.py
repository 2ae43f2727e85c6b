"""Encode texts of different lengths without padding, and so that no text's feature depends on the others.

Linear layers work on all tokens of all texts in one product; attention works on the texts of one length at a time. A
text ends at its end-of-text: under the causal mask, what follows changes nothing that is read.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..clip.text import Block, CausalAttention
from ..clip.towers import Clip, TextTower
from ..clip.trunk import Pyramid
from .fused import Linear


class RaggedText(nn.Module):
    """A text tower's features at the end-of-text; the parts are those of the tower, which may be fused already."""

    def __init__(self, tower: TextTower, projection: nn.Module):
        """Prepare.

        Args:
            tower: a CLIP's text tower.
            projection: its last product, ``(N, text_width)`` -> ``(N, embed)``.
        """
        super().__init__()
        self.tower = tower
        self.projection = projection

    def forward(self, tokens: Tensor) -> Tensor:
        """Like :meth:`~tris_model.clip.towers.TextTower.encode_text`: int64 ``(N, L)`` -> ``(N, embed)``."""
        tower = self.tower
        lengths = tokens.argmax(1) + 1
        if not len(tokens):
            return tower.text_projection.new_zeros(0, tower.text_projection.shape[1])
        if int(lengths.sum()) == 1:  # oneDNN adds up a long product of a single row in another order
            return self(tokens.expand(2, -1))[:1]
        # Texts of one length stand together, so that attention takes them as one batch.
        order = torch.argsort(lengths, stable=True)
        counts = torch.unique_consecutive(lengths[order], return_counts=True)
        groups = list(zip(counts[0].tolist(), counts[1].tolist(), strict=True))
        sorted_rows = tokens[order]
        places = torch.arange(tokens.shape[1], device=tokens.device).expand(tokens.shape)
        kept = places < lengths[order][:, None]
        rows = TokenRows.of(sorted_rows[kept], places[kept])
        x = tower.token_embedding(tower.rows(rows.tokens)) + tower.positional_embedding[rows.places]
        *blocks, last = tower.transformer.resblocks
        for block in blocks:
            assert isinstance(block, Block)
            x = x + block.attn.out_proj(_attended(block.attn, block.ln_1(x), rows.which, groups)[rows.chosen])
            x = x + block.mlp(block.ln_2(x))
        assert isinstance(last, Block)
        # Nothing reads the last block's other rows. One text has its row twice, for the reason above.
        ends = torch.cumsum(lengths[order], 0) - 1
        ends = ends if len(ends) > 1 else ends.expand(2)
        x = x[rows.which[ends]] + last.attn.out_proj(_attended(last.attn, last.ln_1(x), rows.which, groups)[ends])
        x = (x + last.mlp(last.ln_2(x)))[: len(tokens)]
        found = self.projection(tower.ln_final(x))
        return torch.empty_like(found).index_copy_(0, order, found)


class TokenRows(NamedTuple):
    """The rows that stand for T tokens of texts: every first token has the same one, for it attends to itself alone.

    Attributes:
        tokens, places: int64 ``(R,)``, the token of each row and its place in its text.
        which: int64 ``(T,)``, the row of each token.
        chosen: int64 ``(R,)``, a token of each row.
    """

    tokens: Tensor
    places: Tensor
    which: Tensor
    chosen: Tensor

    @classmethod
    def of(cls, tokens: Tensor, places: Tensor) -> TokenRows:
        """The rows of texts that follow one another; ``tokens`` and ``places`` are int64 ``(T,)``."""
        later = places > 0
        firsts = tokens[~later]
        if not later.any() or not torch.equal(firsts, firsts[:1].expand_as(firsts)):
            every = torch.arange(len(tokens), device=tokens.device)
            return cls(tokens, places, every, every)
        chosen = torch.cat([later.new_zeros(1, dtype=torch.int64), later.nonzero()[:, 0]])
        return cls(tokens[chosen], places[chosen], torch.cumsum(later, 0) * later, chosen)


def _attended(attention: CausalAttention, x: Tensor, which: Tensor, groups: list[tuple[int, int]]) -> Tensor:
    """What T tokens gather from their texts, before the last product.

    Args:
        attention: of one block.
        x: ``(R, C)``.
        which: int64 ``(T,)``, the row of each token.
        groups: the length and the number of the texts that follow one another.

    Returns:
        ``(T, C)``.
    """
    projected = attention.project(x)[which].split([length * count for length, count in groups])
    parts = []
    for (length, count), part in zip(groups, projected, strict=True):
        q, k, v = part.view(count, length, 3, attention.heads, -1).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        parts.append(out.transpose(1, 2).reshape(count * length, -1))
    return torch.cat(parts)


class RaggedClip(nn.Module):
    """A CLIP on a CPU whose texts are encoded without padding; everything else is the CLIP's own."""

    def __init__(self, clip: Clip, *, pack: bool):
        """Prepare; ``pack`` is whether oneDNN's packed weights are used."""
        super().__init__()
        self.clip = clip
        self.text = RaggedText(clip, Linear(clip.text_projection.T.contiguous(), None, pack=pack))

    @property
    def visual(self) -> nn.Module:
        """The image tower."""
        return self.clip.visual

    def encode_pyramid(self, images: Tensor) -> Pyramid:
        """Like :meth:`~tris_model.clip.towers.Clip.encode_pyramid`."""
        return self.clip.encode_pyramid(images)

    def encode_words(self, tokens: Tensor) -> Tensor:
        """Like :meth:`~tris_model.clip.towers.Clip.encode_words`."""
        return self.clip.encode_words(tokens)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Like :meth:`~tris_model.clip.towers.Clip.encode_text`."""
        return self.text(tokens)
