"""Stage 1's loss of one batch: towers, prompt, scores, calibration.

It is one module, as training with ranks requires.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..network.stage1 import Stage1, enlarge, score
from ..ranges import Rate
from .loop.ranks import gather, rank
from .losses import classification, negative, positive, visible
from .scorers import FrozenScorer


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of the terms; a term of weight 0 is not computed.

    Attributes:
        classification: weight of eq. 7, the paper's lambda.
        positive, negative: weights of the calibration's terms, eq. 8 and 9.
        clamped: see :func:`tris_model.train.losses.positive`.
    """

    classification: Rate = 5.0
    positive: Rate = 1.0
    negative: Rate = 2.0
    clamped: bool = True

    def __post_init__(self) -> None:
        if not self.classification + self.positive + self.negative:
            raise ValueError("all weights are 0, so nothing would be learned")


class Objective(nn.Module):
    """The three terms; the scorer is not trained.

    Attributes:
        network: the trained network.
    """

    def __init__(self, network: Stage1, scorer: FrozenScorer | None, weights: Weights):
        super().__init__()
        self.network = network
        self._scorer = scorer
        self._weights = weights

    def forward(
        self, images: Tensor, tokens: Tensor, text_features: Tensor | None, negative_features: Tensor | None
    ) -> Mapping[str, Tensor]:
        """Compute the unweighted terms, and their weighted sum as ``loss``.

        Args:
            images: ``(B, 3, H, W)``, of this rank.
            tokens: int64 ``(B, L)``, the images' texts.
            text_features: ``(B, D)``, the scorer's features of these texts.
            negative_features: ``(B, K, D)``, the scorer's features of the negatives.
        """
        network, weights = self.network, self._weights
        own = torch.arange(len(images), device=images.device) + rank() * len(images)
        texts = gather(network.encode_text(tokens))  # of all ranks: the batch's other texts are the negatives of eq. 7
        attended = network.attend(network.encode_cells(images), texts, own)
        scores, coverage = score(attended.response.float())
        terms = {"classification": classification(scores, own)}
        if text_features is not None and self._scorer is not None and weights.positive + weights.negative > 0:
            mask = torch.sigmoid(enlarge(attended.own[:, None].float(), images.shape[2:]))
            image_features = self._scorer.encode_image(visible(images, mask, self._scorer.side))
            if weights.positive:
                terms["positive"] = positive(image_features, text_features, clamped=weights.clamped)
            if weights.negative and negative_features is not None:
                terms["negative"] = negative(image_features, negative_features)
        loss = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
        index = torch.arange(len(images), device=images.device)
        return {"loss": loss, **terms, "coverage": coverage[index, own].mean().detach()}
