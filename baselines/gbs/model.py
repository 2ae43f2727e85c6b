"""GbS as a whole, the words' encoder beside the image network, under the names of the authors' files."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .._bert import Bert
from .config import GbsConfig
from .network import GbsNetwork
from .objective import AUTHORS, GbsWeights, losses


class GbsModel(nn.Module):
    """BERT under ``model.caption_model.model``, the image network under ``model.image_model``.

    Attributes:
        weights: of the loss.
        learns_words: whether BERT learns too; the authors' is frozen.
    """

    def __init__(self, config: GbsConfig, *, weights: GbsWeights = AUTHORS, learns_words: bool = False):
        super().__init__()
        self.weights, self.learns_words = weights, learns_words
        captions = nn.ModuleDict({"model": Bert(config.bert).requires_grad_(learns_words)})
        self.model = nn.ModuleDict({"caption_model": captions, "image_model": GbsNetwork(config)})
        if not weights.matching:
            self.image_model.pre_cond.requires_grad_(False)
            self.image_model.scale_conv.requires_grad_(False)

    @property
    def image_model(self) -> GbsNetwork:
        """The image network."""
        network = self.model["image_model"]
        assert isinstance(network, GbsNetwork)
        return network

    @property
    def bert(self) -> Bert:
        """The words' encoder."""
        captions = self.model["caption_model"]
        assert isinstance(captions, nn.ModuleDict)
        bert = captions["model"]
        assert isinstance(bert, Bert)
        return bert

    def words(self, token_ids: Tensor, mask: Tensor) -> Tensor:
        """The last hidden state of every token, as of :func:`baselines.gbs.captions.tokenize`: ``(N, T, D)``."""
        return self.bert(token_ids, mask.lt(2))

    def train(self, mode: bool = True) -> GbsModel:
        """As any module; but BERT has no dropout."""
        super().train(mode)
        self.bert.eval()
        return self

    def forward(self, images: tuple[Tensor, Tensor], texts: tuple[tuple[Tensor, Tensor], ...], **alphas: Any) -> Any:
        """The terms of a step, see :func:`baselines.gbs.losses`.

        Args:
            images: the first and the second ones.
            texts: ids and mask of the first and of the second ones.
            alphas: the rest.
        """
        (ids1, mask1), (ids2, mask2) = texts
        words = self.words(ids1, mask1), self.words(ids2, mask2)
        return losses(self.image_model, *images, *words, mask1, mask2, weights=self.weights, **alphas)
