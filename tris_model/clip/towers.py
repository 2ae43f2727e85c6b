"""The two towers of CLIP under OpenAI's key names: the trunk encodes images, the transformer encodes texts."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..config import Config
from .imagenet import ImageNetTrunk
from .text import LayerNorm, Transformer, drawn
from .trunk import Pyramid, Trunk

TEMPERATURE = math.log(1 / 0.07)


class TextSizes(Protocol):
    """The sizes of a text tower, as :class:`~tris_model.config.Config` has them; other configs may have them, too."""

    @property
    def text_width(self) -> int:
        """Number of channels."""
        ...

    @property
    def text_depth(self) -> int:
        """Number of blocks."""
        ...

    @property
    def text_heads(self) -> int:
        """Number of heads of each attention."""
        ...

    @property
    def vocabulary(self) -> int:
        """Rows of the token table."""
        ...

    @property
    def trimmed(self) -> bool:
        """Whether the token table has rows for only some of CLIP's ids."""
        ...

    @property
    def context(self) -> int:
        """Rows of the position embeddings."""
        ...

    @property
    def embed(self) -> int:
        """Number of dimensions of the joint space."""
        ...


class TextTower(nn.Module):
    """The text encoder; its keys are at the root of a CLIP's state dict, beside ``visual``."""

    def __init__(self, config: TextSizes, hidden: int | None = None):
        """Build it; ``hidden`` is the size inside its perceptrons, by default four times the width, as in CLIP."""
        super().__init__()
        self.transformer = Transformer(config.text_width, config.text_depth, config.text_heads, hidden)
        self.token_embedding = nn.Embedding.from_pretrained(drawn(config.vocabulary, config.text_width, deviation=0.02))
        self.token_embedding.weight.requires_grad_(True)
        self.token_ids: Tensor | None
        # Ascending ids of CLIP's vocabulary, one per row; the last row is for every other id.
        self.register_buffer("token_ids", torch.arange(config.vocabulary - 1) if config.trimmed else None)
        self.positional_embedding = nn.Parameter(drawn(config.context, config.text_width, deviation=0.01))
        self.ln_final = LayerNorm(config.text_width)
        self.text_projection = nn.Parameter(drawn(config.text_width, config.embed, deviation=config.text_width**-0.5))
        # CLIP's own temperature: TRIS's files contain it, but nothing uses it.
        self.logit_scale = nn.Parameter(torch.tensor(TEMPERATURE))

    def encode_words(self, tokens: Tensor) -> Tensor:
        """Features of every token, including padding.

        Args:
            tokens: int64 ``(N, L)``; L is at most the number of text positions.

        Returns:
            ``(N, L, text_width)``, after the last LayerNorm and before any projection.
        """
        x = self.token_embedding(self.rows(tokens)) + self.positional_embedding[: tokens.shape[1]]
        return self.ln_final(self.transformer(x))

    def rows(self, tokens: Tensor) -> Tensor:
        """The row of the token table for every token id; any shape."""
        if self.token_ids is None:
            return tokens
        row = torch.searchsorted(self.token_ids, tokens.contiguous()).clamp(max=len(self.token_ids) - 1)
        return torch.where(self.token_ids[row] == tokens, row, len(self.token_ids))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """One feature per text: the token feature at the largest token id (the end-of-text), projected.

        In a text that lost its end-of-text the largest id is the start-of-text. Under the causal mask the feature there
        is the same for every text. The authors' code behaves the same.

        Args:
            tokens: int64 ``(N, L)``.

        Returns:
            ``(N, embed)``, not normalised.
        """
        end = tokens.argmax(1)
        # The mask is causal: tokens behind the batch's last end-of-text change no feature, so they are cut off.
        words = self.encode_words(tokens[:, : int(end.max()) + 1]) if len(tokens) else self.encode_words(tokens)
        return words[torch.arange(len(tokens), device=tokens.device), end] @ self.text_projection


class Clip(TextTower):
    """CLIP with a ResNet, TRIS's backbone; stage 1 and stage 2 have one each."""

    def __init__(self, config: Config):
        super().__init__(config)
        self.config = config
        self.visual: Any = ImageNetTrunk() if config.trunk == "imagenet" else Trunk(config)

    def encode_pyramid(self, images: Tensor) -> Pyramid:
        """``(B, 3, H, W)`` -> c1 to c4, see :class:`~tris_model.clip.trunk.Trunk`."""
        return self.visual(images)

    def encode_image(self, images: Tensor) -> Tensor:
        """One feature per image, ``(B, 3, H, W)`` -> ``(B, embed)``, not normalised; needs the attention pool."""
        return self.visual.attnpool.summary(self.visual(images)[3])
