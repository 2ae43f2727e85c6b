"""TRIS stage 1: response maps of texts in an image, learned from texts alone.

Shapes: B images, N texts, C hidden channels, P = h * w cells of c4 (10 x 10 for 320 pixels).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..clip.towers import TEMPERATURE, Clip
from ..config import STAGE1, Config
from .prompt import BilateralPrompt

FOCAL_POWER = 3  # p of eq. 6
FOCAL_FLOOR = 0.01  # c of eq. 6


class ImageFeatures(NamedTuple):
    """The text-independent features of images: cells ``(B, C, h, w)``, keys and values ``(B, C, P)``."""

    cells: Tensor
    keys: Tensor
    values: Tensor

    def of(self, index: int) -> ImageFeatures:
        """The image at ``index``, with a batch axis of 1."""
        return ImageFeatures(*(part[index : index + 1] for part in self))


class Stage1Training(NamedTuple):
    """The outputs for training, in the authors' order.

    Attributes:
        scores: ``(B, N)``, raw logits of eq. 6 for every image and text.
        coverage: ``(B,)``, the mean softmax (with background) of every image's own text.
        response: ``(B, 1, H, W)``, the ReLU'd response of every image to its own text.
        probability: ``(B, 1, H, W)``, the sigmoid of the response.
        temperature: ``()``, exp(logit_scale).
    """

    scores: Tensor
    coverage: Tensor
    response: Tensor
    probability: Tensor
    temperature: Tensor


class AttendedPair(NamedTuple):
    """Raw responses of every image to every text of a batch, ``(B, N, P)``, and to its own text, ``(B, h, w)``."""

    response: Tensor
    own: Tensor


def unit(x: Tensor, dim: int) -> Tensor:
    """Normalise to unit length along ``dim``, at least in float32. There is no epsilon, as in the authors' code."""
    if x.dtype in (torch.bfloat16, torch.float16):
        x = x.float()
    return x / x.norm(dim=dim, keepdim=True)


class Stage1(nn.Module):
    """CLIP's towers, one projection each, the bilateral prompt, and a scaled product."""

    def __init__(self, config: Config = STAGE1):
        super().__init__()
        self.config = config
        self.logit_scale = nn.Parameter(torch.tensor(TEMPERATURE))
        self.backbone = Clip(config)
        self.vis_project = nn.Conv2d(config.channels[3], config.hidden, 1)
        self.lan_project = nn.Linear(config.embed, config.hidden)
        self.attn_fusion = BilateralPrompt(config.hidden)

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor | Stage1Training:
        """The authors' forward: image i is paired with text i, and the prompt mixes all texts of the batch.

        Because of this mixing, the maps of a batch differ from those of its pairs alone, also in evaluation. The
        official evaluation has batches of one. Use :meth:`respond` to compute pairs independently.

        Args:
            images: ``(B, 3, H, W)``, normalised.
            tokens: int64 ``(B, L)``.

        Returns:
            In eval mode ReLU'd maps ``(B, 1, H, W)``; in train mode a :class:`Stage1Training`.
        """
        attended = self.attend(
            self.encode_cells(images), self.encode_text(tokens), torch.arange(len(images), device=images.device)
        )
        maps = enlarge(attended.own[:, None], images.shape[2:])
        if not self.training:
            return F.relu(maps)
        scores, coverage = score(attended.response)
        return Stage1Training(scores, coverage.diagonal(), F.relu(maps), torch.sigmoid(maps), self.logit_scale.exp())

    def attend(self, cells: Tensor, texts: Tensor, own: Tensor) -> AttendedPair:
        """The responses of images to the texts of a batch, mixed by the prompt; in float32 even if towers use bf16.

        The response is a logit near 14, its scale; there bf16 has no number between 14 and 14.06.

        Args:
            cells: ``(B, C, h, w)``, from :meth:`encode_cells`.
            texts: ``(N, C)``, from :meth:`encode_text`; with several ranks the texts of all ranks.
            own: int64 ``(B,)``, the index of each image's own text.
        """
        with torch.autocast(cells.device.type, enabled=False):
            for_image, for_texts = self.attn_fusion(cells, texts)
            side = cells.shape[2:]
            cells = (cells + self.config.alpha * for_image).flatten(2)  # (B, C, P), no longer unit length
            texts = texts + self.config.beta * for_texts  # (B, N, C)
            response = self.logit_scale.exp() * (texts @ cells)  # (B, N, P)
        images = torch.arange(len(cells), device=cells.device)
        return AttendedPair(response, response[images, own].unflatten(1, side))

    def respond(self, images: Tensor, tokens: Tensor) -> Tensor:
        """The raw response of every image to every text; each pair is computed as if alone in its batch.

        The trunk runs once per image, the text tower once per distinct text.

        Args:
            images: ``(B, 3, H, W)``, normalised.
            tokens: int64 ``(N, L)``; N may differ from B.

        Returns:
            ``(B, N, h, w)``, before up-sampling and ReLU; see :func:`heat`.
        """
        distinct, which = torch.unique(tokens, dim=0, return_inverse=True)
        return self.compare(self.encode_image(images), self.encode_text(distinct))[:, which]

    def encode_cells(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> projected cells ``(B, C, h, w)``, unit length over C."""
        return unit(self.vis_project(self.backbone.encode_pyramid(images)[3]), 1)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """``(N, L)`` -> projected texts ``(N, C)``, unit length."""
        return unit(self.lan_project(self.backbone.encode_text(tokens)), 1)

    def encode_image(self, images: Tensor) -> ImageFeatures:
        """``(B, 3, H, W)`` -> the features of images for :meth:`compare`."""
        cells = self.encode_cells(images)
        return ImageFeatures(cells, *self.attn_fusion.keys_and_values(cells))

    def compare(self, features: ImageFeatures, texts: Tensor) -> Tensor:
        """Compare every image with every text; each pair is computed as if alone.

        Args:
            features: of B images, from :meth:`encode_image`.
            texts: ``(N, C)``, from :meth:`encode_text`.

        Returns:
            Raw responses ``(B, N, h, w)``.
        """
        prompt = self.attn_fusion
        cells = features.cells + self.config.alpha * prompt.alone[:, None, None]
        texts = texts + self.config.beta * prompt.attend(
            features.keys, features.values, prompt.queries(texts)
        )  # (B, N, C)
        response = self.logit_scale.exp() * (texts @ cells.flatten(2))  # (B, N, P)
        return response.unflatten(2, cells.shape[2:])

    def heat(self, response: Tensor) -> Tensor:
        """Raw responses ``(B, N, h, w)`` -> heats as from ``forward``: ``(B, N, H, W)``, enlarged and ReLU'd."""
        size = tuple(self.config.stride * side for side in response.shape[2:])
        return F.relu(enlarge(response, size))


def enlarge(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resize bilinearly with half-pixel centres, as inside the networks (the evaluation resizes differently)."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def score(response: Tensor) -> tuple[Tensor, Tensor]:
    """Equation 6: the score of each text for each image, where all texts compete for the image's cells.

    A background channel of constant 1, not scaled by the temperature, also competes. The regulariser penalises texts
    that win no cell.

    Args:
        response: ``(B, N, P)``.

    Returns:
        Scores ``(B, N)`` (raw logits; the loss applies the sigmoid) and coverage ``(B, N)``, each text's mean softmax.
    """
    share = torch.softmax(F.pad(response, (0, 0, 1, 0), value=1.0), dim=1)  # (B, 1 + N, P)
    coverage = share.mean(2)[:, 1:]
    regulariser = (1 - coverage) ** FOCAL_POWER * torch.log(FOCAL_FLOOR + coverage)
    return response.mean(2) + response.amax(2) + regulariser, coverage
