"""TRIS stage 2: a segmentation network, learned from the pseudo masks of stage 1.

Word features are combined with the image's features at c2, c3 and c4, after the trunk. The trunk itself does not depend
on the text, so it runs once per image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..clip.towers import Clip
from ..clip.trunk import Pyramid
from ..config import STAGE2, Config
from .stage1 import enlarge
from .word_attention import Queries, WordAttention


class Smooth(nn.Module):
    """3x3 convolution, BatchNorm, PReLU with one slope; the size stays the same."""

    def __init__(self, inside: int, outside: int):
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outside)
        self.relu = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inside, h, w)`` -> ``(B, outside, h, w)``."""
        return self.relu(self.bn(self.conv(x)))


def _segment(inside: int, between: int) -> nn.Sequential:
    return nn.Sequential(Smooth(inside, between), nn.Conv2d(between, 1, 1, bias=False))


class PyramidFeatures(NamedTuple):
    """The text-independent features of B images: the reduced c1, and c2 to c4 with their queries."""

    reduced: Tensor
    features: tuple[Tensor, Tensor, Tensor]
    queries: tuple[Queries, Queries, Queries]

    def of(self, index: int) -> PyramidFeatures:
        """The image at ``index``, with a batch axis of 1."""
        at = slice(index, index + 1)
        c2, c3, c4 = self.features
        a2, a3, a4 = (Queries(part.query[at], part.gate[at]) for part in self.queries)
        return PyramidFeatures(self.reduced[at], (c2[at], c3[at], c4[at]), (a2, a3, a4))

    def at(self, places: Tensor) -> PyramidFeatures:
        """The images at some places, int64 ``(N,)``, one after the other; a place may occur several times."""
        c2, c3, c4 = (feature[places] for feature in self.features)
        a2, a3, a4 = (Queries(part.query[places], part.gate[places]) for part in self.queries)
        return PyramidFeatures(self.reduced[places], (c2, c3, c4), (a2, a3, a4))


class Stage2(nn.Module):
    """CLIP's towers, three pixel-word attentions and a top-down decoder of four levels."""

    def __init__(self, config: Config = STAGE2):
        super().__init__()
        self.config = config
        self.backbone = Clip(config)
        c1, c2, c3, c4 = config.channels
        width = config.decoder
        self.attention2 = WordAttention(c2, config.text_width)
        self.attention3 = WordAttention(c3, config.text_width)
        self.attention4 = WordAttention(c4, config.text_width)
        self.reduced_c1 = Smooth(c1, width)
        self.reduced_c2 = Smooth(c2, 2 * width)
        self.reduced_c3 = Smooth(c3, 4 * width)
        self.reduced_c4 = Smooth(c4, 8 * width)
        self.output4 = Smooth(8 * width, 4 * width)
        self.output3 = Smooth(4 * width, 2 * width)
        self.output2 = Smooth(2 * width, width)
        self.output1 = Smooth(width, width // 2)
        self.final_seg1 = _segment(width // 2, width // 2)
        self.final_seg2 = _segment(width, width // 2)
        self.final_seg3 = _segment(2 * width, width)
        self.final_seg4 = _segment(4 * width, width)

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor, Tensor]:
        """Segment the object of text i in image i.

        Args:
            images: ``(B, 3, H, W)``, normalised.
            tokens: int64 ``(B, L)``; all L tokens are used, also padding, so the result depends on L.

        Returns:
            In eval mode signed logits ``(B, 1, H, W)``; in train mode also three auxiliary logits of the same shape,
            fine to coarse.
        """
        d1, d2, d3, d4 = self.decode(self.encode_image(images), self.encode_text(tokens))
        size = images.shape[2:]
        logits = enlarge(self.final_seg1(d1), size)
        if not self.training:
            return logits
        coarse = (self.final_seg2(d2), self.final_seg3(d3), self.final_seg4(d4))
        second, third, fourth = (enlarge(part, size) for part in coarse)
        return logits, second, third, fourth

    def respond(self, images: Tensor, tokens: Tensor) -> Tensor:
        """The logits of every image for every text, ``(B, N, H / 4, W / 4)``; the trunk runs once per image.

        Args:
            images: ``(B, 3, H, W)``, normalised.
            tokens: int64 ``(N, L)``.
        """
        distinct, which = torch.unique(tokens, dim=0, return_inverse=True)
        return self.compare(self.encode_image(images), self.encode_text(distinct))[:, which]

    def encode_text(self, tokens: Tensor) -> Tensor:
        """``(N, L)`` -> word features ``(N, L, D)``."""
        return self.backbone.encode_words(tokens)

    def encode_image(self, images: Tensor) -> PyramidFeatures:
        """``(B, 3, H, W)`` -> the text-independent features."""
        c1, c2, c3, c4 = self.backbone.encode_pyramid(images)
        queries = (self.attention2.project(c2), self.attention3.project(c3), self.attention4.project(c4))
        return PyramidFeatures(self.reduced_c1(c1), (c2, c3, c4), queries)

    def compare(self, pyramid: PyramidFeatures, words: Tensor, batch: int = 8) -> Tensor:
        """Compare every image with every text.

        Args:
            pyramid: of B images, from :meth:`encode_image`.
            words: ``(N, L, D)``, from :meth:`encode_text`.
            batch: number of texts decoded at once; memory grows with it.

        Returns:
            Logits ``(B, N, H / 4, W / 4)``; :meth:`heat` enlarges them.
        """
        rows: list[Tensor] = []
        for index in range(len(pyramid.reduced)):
            image = pyramid.of(index)
            parts = [self.final_seg1(self.decode(image, some)[0])[:, 0] for some in words.split(batch)]
            rows.append(torch.cat(parts))
        return torch.stack(rows)

    def compare_pairs(self, pyramid: PyramidFeatures, owners: Tensor, words: Tensor, batch: int = 32) -> Tensor:
        """Compare pairs of an image and a text, those of several images in one batch, as a GPU needs them.

        Args:
            pyramid: of B images, from :meth:`encode_image`.
            owners: int64 ``(N,)``, the index of each text's image.
            words: ``(N, L, D)``, from :meth:`encode_text`.
            batch: number of pairs decoded at once; memory grows with it.

        Returns:
            Logits ``(N, H / 4, W / 4)``; :meth:`heat` enlarges them.
        """
        parts = [
            self.final_seg1(self.decode(pyramid.at(places), some)[0])[:, 0]
            for places, some in zip(owners.split(batch), words.split(batch), strict=True)
        ]
        return torch.cat(parts)

    def decode(self, pyramid: PyramidFeatures, words: Tensor) -> Pyramid:
        """Combine image features with words, then decode from coarse to fine.

        Args:
            pyramid: of B images, or of one image for B texts.
            words: ``(B, L, D)``.

        Returns:
            d1 ``(B, w / 2, H / 4, W / 4)``, d2 ``(B, w, H / 4, W / 4)``, d3 ``(B, 2w, H / 8, W / 8)``, d4 ``(B, 4w, H /
            16, W / 16)`` for the decoder's width w.
        """
        fused = (
            feature + attention.attend(_repeat(queries, len(words)), words)
            for feature, queries, attention in zip(pyramid.features, pyramid.queries, self._attentions, strict=True)
        )
        r2, r3, r4 = (reduce(part) for reduce, part in zip(self._reductions, fused, strict=True))
        d4 = enlarge(self.output4(r4), r3.shape[2:])
        d3 = enlarge(self.output3(d4 + r3), r2.shape[2:])
        d2 = enlarge(self.output2(d3 + r2), pyramid.reduced.shape[2:])
        return self.output1(d2 + pyramid.reduced), d2, d3, d4

    def heat(self, response: Tensor) -> Tensor:
        """Logits ``(B, N, h, w)`` -> heats as ``forward`` returns them in eval mode: ``(B, N, 4h, 4w)``, signed."""
        return enlarge(response, (4 * response.shape[2], 4 * response.shape[3]))

    @property
    def _attentions(self) -> Sequence[WordAttention]:
        return (self.attention2, self.attention3, self.attention4)

    @property
    def _reductions(self) -> Sequence[Smooth]:
        return (self.reduced_c2, self.reduced_c3, self.reduced_c4)


def _repeat(queries: Queries, times: int) -> Queries:
    """Repeat one image's queries for several texts, without copying; those of several images stay unchanged."""
    if len(queries.query) == times:
        return queries
    return Queries(queries.query.expand(times, -1, -1), queries.gate.expand(times, -1, -1, -1))
