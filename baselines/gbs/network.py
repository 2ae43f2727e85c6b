"""GbS's network: a VGG16 whose deepest levels are gated by a text, a small decoder, and a branch that words look up.

Three passes leave the trunk. *Conditioned*: one text gates the two deepest levels, and a decoder makes a map of them.
*Unconditioned*: the same decoder without a text. *Words*: all levels, ungated, become vectors that are compared with
the words of a text. The trunk sees no text, so an image is encoded once for all its texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import GbsConfig
from .matching import unit_words, words_heat


class GbsLevels(nn.Module):
    """VGG with BatchNorm: its features at every halving."""

    def __init__(self, widths: Sequence[Sequence[int]]):
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for stage in widths:
            for width in stage:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.layers = nn.ModuleList(layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """``(B, 3, H, W)`` -> the images, then each level, ``(B, C, H / 2, W / 2)`` and so on, rounded down."""
        levels, x = [images], images
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                levels.append(x)
        return levels


class WideBottleneck(nn.Module):
    """A 3x3 convolution, and a residual bottleneck on it whose inside is as wide as its outside."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv0 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv1 = nn.Conv2d(after, after, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.conv3 = nn.Conv2d(after, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, before, h, w)`` -> ``(B, after, h, w)``, not negative."""
        x = self.conv0(x)
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + x)


class TextGate(nn.Module):
    """Features that are near a vector of the text pass: ``y = x exp(-|x - c|)``, channel by channel (section 3.2)."""

    def __init__(self, text: int, channels: int):
        super().__init__()
        self.cap_fc = nn.Linear(text, channels)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """Gate features.

        Args:
            x: ``(B, C, h, w)``, or ``(1, C, h, w)`` for all texts.
            text: ``(B, D)``. A vector of zeros, a text without a word, lets nothing pass.

        Returns:
            ``(B, C, h, w)``.
        """
        wanted = self.cap_fc(text)[:, :, None, None]
        heard = text.ne(0).any(1)[:, None, None, None]
        return x * torch.exp(-(x - wanted).abs()) * heard


class UnreadText(nn.Module):
    """The place of a text in the unconditioned pass, which has none: nothing reads these weights in the files."""

    def __init__(self, text: int, channels: int):
        super().__init__()
        self.cap_fc = nn.Linear(text, channels).requires_grad_(False)


class Separation(NamedTuple):
    """What a training step needs of the network.

    Attributes:
        first, second, negative: maps under a text of the first image, of the second one, and of another pair,
            ``(B, 1, h, w)``, raw.
        unconditioned: the map without a text.
        pixels: of the unblended images as of :meth:`GbsNetwork.pixels`, all first ones and then all second ones.
    """

    first: Tensor
    second: Tensor
    negative: Tensor
    unconditioned: Tensor
    pixels: Tensor | None


class GbsNetwork(nn.Module):
    """The image network, under the authors' key names.

    Attributes:
        config: its sizes.
    """

    def __init__(self, config: GbsConfig | None = None):
        super().__init__()
        self.config = config = GbsConfig() if config is None else config
        text, depths = config.bert.width, config.depths
        upwards = depths[::-1]  # the channels of the levels, the deepest first
        read = upwards[: len(config.decoder) + 1]
        self.backbone = GbsLevels(config.widths)
        self.pre_cond = nn.ModuleList(WideBottleneck(depth, config.bottleneck) for depth in depths[1:])
        self.pre_cond_up = nn.ModuleList(WideBottleneck(depth, config.bottleneck) for depth in config.decoder)
        self.pre_cond_up.requires_grad_(False)  # in the authors' files, and read by nothing
        self.conditions = nn.ModuleList(TextGate(text, depth) for depth in read)
        self.no_conditions = nn.ModuleList(UnreadText(text, depth) for depth in read)
        befores = (0, *config.decoder)
        self.decoder_blocks = nn.ModuleList(
            WideBottleneck(before + depth, after)
            for before, depth, after in zip(befores, read, config.decoder, strict=False)
        )
        self.scale_conv = nn.Conv2d(config.bottleneck, text, 1, bias=False)
        self.last_conv = nn.Conv2d(befores[-1] + read[-1], 1, 3, padding=1, bias=False)

    def encode(self, images: Tensor) -> list[Tensor]:
        """All that does not depend on the text: the images and each level, see :class:`GbsLevels`."""
        return self.backbone(images)

    def decode(self, levels: Sequence[Tensor], text: Tensor) -> Tensor:
        """Maps of what :meth:`encode` gave, for as many texts as images, or of one image for all texts.

        Returns:
            ``(N, 1, h, w)``, raw: trained towards [0, 1], and bound to nothing.
        """
        return self._decoded([gate(x, text) for gate, x in zip(self.conditions, reversed(levels), strict=False)])

    def decode_without_text(self, levels: Sequence[Tensor]) -> Tensor:
        """The unconditioned pass: each level has unit length over its channels, and no gate. ``(B, 1, h, w)``."""
        return self._decoded([F.normalize(x, dim=1) for _, x in zip(self.conditions, reversed(levels), strict=False)])

    def _decoded(self, skips: list[Tensor]) -> Tensor:
        x = skips[0]
        for block, skip in zip(self.decoder_blocks, skips[1:], strict=True):
            x = block(x)
            if x.shape[2:] != skip.shape[2:]:
                x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = torch.cat([skip, x], 1)
        return self.last_conv(x)

    def pixels(self, levels: Sequence[Tensor]) -> Tensor:
        """The levels as vectors that words are compared with.

        Returns:
            ``(B, L, S * S, D)``, unit length: L levels, S cells along each side for an image of any shape, and the D
            channels of a word.
        """
        side = (self.config.words_side,) * 2
        found = []
        for block, level in zip(self.pre_cond, levels[1:], strict=True):
            x = F.interpolate(block(level), size=side, mode="bilinear", align_corners=True)
            found.append(self.scale_conv(x).flatten(2))
        return F.normalize(torch.stack(found, 1).transpose(2, 3), dim=3)

    def words_map(self, images: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """Where the words of each image's text are found.

        Args:
            images: ``(B, 3, H, W)`` as :func:`baselines.gbs.prepare` makes them.
            words: BERT's last hidden state ``(B, T, 768)``, with the rows of [CLS], [SEP] and padding.
            mask: integers ``(B, T)``: 0 at pieces of words, 1 at [CLS] and [SEP], 2 at padding.

        Returns:
            ``(B, 1, 32, 32)`` in [0, 1].
        """
        side = self.config.words_side
        pixels, units = self.pixels(self.encode(images)), unit_words(words, mask)
        heats = [words_heat(cells, own[None]) for cells, own in zip(pixels, units, strict=True)]
        return torch.stack(heats).unflatten(2, (side, side))

    def separate(self, blended: Tensor, clean: Tensor | None, first: Tensor, second: Tensor) -> Separation:
        """The passes of a training step, in the authors' order, which decides what BatchNorms count.

        Args:
            blended: ``(B, 3, H, W)``.
            clean: the first images and then the second ones, ``(2 B, 3, H, W)``; None leaves ``pixels`` out.
            first, second: sentence vectors of texts of the first and second images, ``(K * B, D)``, each image's K in a
                row. The negative ones are the second ones of the pair before.
        """
        texts = len(first) // len(blended)
        levels = self.encode(blended)
        repeated = [level.repeat_interleave(texts, 0) if texts > 1 else level for level in levels]
        maps = [self.decode(repeated, text) for text in (first, second, second.roll(texts, 0))]
        without = self.decode_without_text(levels)
        return Separation(
            maps[0], maps[1], maps[2], without, None if clean is None else self.pixels(self.encode(clean))
        )

    def forward(self, images: Tensor, text: Tensor) -> Tensor:
        """One map for each image and its text.

        Args:
            images: float32 ``(B, 3, H, W)`` as :func:`baselines.gbs.prepare` makes them.
            text: sentence vectors ``(B, 768)``: the mean of BERT's vectors of the words.

        Returns:
            ``(B, 1, h, w)``, raw, with h and w a sixteenth of H and W, rounded down.
        """
        return self.decode(self.encode(images), text)
