"""LAVT (Yang et al., CVPR 2022): a Swin transformer that reads the expression in every stage, and a light decoder."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._bert import Bert, draw_weights
from .fusion import LanguageGate, PixelWordAttention
from .sizes import LavtSizes
from .swin import PatchEmbedding, PatchMerging, SwinBlock, WindowAttention


class Lavt(nn.Module):
    """The whole network, under the key names of the authors' ``lavt_one`` files.

    Attributes:
        sizes: see there.
        text_encoder: BERT, whose last hidden state are the words.
        backbone: the image encoder.
        classifier: the decoder.
    """

    def __init__(self, sizes: LavtSizes):
        super().__init__()
        self.sizes = sizes
        self.text_encoder = Bert(sizes.bert)
        self.backbone = LanguageAwareSwin(sizes)
        self.classifier = LavtDecoder(sizes.widths, sizes.decoder)

    def forward(self, images: Tensor, token_ids: Tensor, token_mask: Tensor) -> Tensor:
        """Segment.

        Args:
            images: float ``(B, 3, H, W)``, ImageNet's mean and deviation; 480 x 480 as the authors have it.
            token_ids: int64 ``(B, 20)``, WordPiece with [CLS] and [SEP], 0 on padding.
            token_mask: ``(B, 20)``, 1 on tokens and 0 on padding, of any type.

        Returns:
            Logits ``(B, 2, H, W)``: background, object.
        """
        return self.logits(self.before_words(images), token_ids, token_mask, images.shape[2:])

    def features(self, images: Tensor, token_ids: Tensor, token_mask: Tensor) -> list[Tensor]:
        """The fused map of every stage, normalised and not gated, as the decoder reads them.

        Args:
            images, token_ids, token_mask: as of :meth:`forward`.

        Returns:
            Four maps; at 480 x 480 ``(B, 128, 120, 120)``, ``(B, 256, 60, 60)``, ``(B, 512, 30, 30)`` and
            ``(B, 1024, 15, 15)``.
        """
        return self.backbone.fused(self.before_words(images), self.text_encoder(token_ids, token_mask), token_mask)

    def before_words(self, images: Tensor) -> Tensor:
        """What does not depend on the expression: ``(B, 3, H, W)`` -> ``(B, H / 4, W / 4, C)``.

        These are the patches after the blocks of the first stage. Several expressions about an image can share it.
        """
        return self.backbone.first_blocks(images)

    def logits(self, patches: Tensor, token_ids: Tensor, token_mask: Tensor, size: tuple[int, ...]) -> Tensor:
        """All that follows :meth:`before_words`.

        Args:
            patches: of :meth:`before_words`.
            token_ids, token_mask: as of :meth:`forward`.
            size: ``(height, width)`` of the logits; the authors' is that of the images.

        Returns:
            ``(B, 2, height, width)``.
        """
        maps = self.backbone.fused(patches, self.text_encoder(token_ids, token_mask), token_mask)
        return enlarged_to(self.classifier(maps), size)

    def train(self, mode: bool = True) -> Lavt:
        """As any module; but BERT has dropout in ``lavt_one`` alone, as in the authors' trainings."""
        super().train(mode)
        self.text_encoder.train(mode and self.sizes.one)
        return self


class LanguageAwareSwin(nn.Module):
    """Four stages: Swin blocks, fusion with the words, and the gated sum that the next stage begins with."""

    def __init__(self, sizes: LavtSizes):
        super().__init__()
        self.patch_embed = PatchEmbedding(sizes.patch, sizes.embed)
        drops = iter(np.linspace(0, sizes.drop_path, sum(sizes.depths)).tolist())
        last = len(sizes.depths) - 1
        self.layers = nn.ModuleList(
            LavtStage(sizes, stage, [next(drops) for _ in range(depth)], merges=stage < last)
            for stage, depth in enumerate(sizes.depths)
        )
        for stage, width in enumerate(sizes.widths):
            self.add_module(f"norm{stage}", nn.LayerNorm(width))

    def first_blocks(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> ``(B, h, w, C)``: patches after the first stage's blocks, before any word."""
        first = self.layers[0]
        assert isinstance(first, LavtStage)
        return first.attended(self.patch_embed(images))

    def fused(self, patches: Tensor, words: Tensor, token_mask: Tensor) -> list[Tensor]:
        """The normalised fused map of every stage, ``(B, C, h, w)``; see :meth:`Lavt.features`."""
        maps = []
        for number, stage in enumerate(self.layers):
            assert isinstance(stage, LavtStage)
            x = stage.attended(patches) if number else patches
            fused, patches = stage.read(x, words, token_mask)
            maps.append(self.get_submodule(f"norm{number}")(fused).movedim(3, 1))
        return maps


class LavtStage(nn.Module):
    """One stage."""

    def __init__(self, sizes: LavtSizes, stage: int, drop_path: list[float], *, merges: bool):
        super().__init__()
        width = sizes.widths[stage]
        self.blocks = nn.ModuleList(
            # Every second block is shifted by half a window.
            SwinBlock(width, sizes.heads[stage], sizes.window, block % 2 * (sizes.window // 2), sizes.mlp, drop)
            for block, drop in enumerate(drop_path)
        )
        self.fusion = PixelWordAttention(width, sizes.bert.width, sizes.fusion_heads[stage])
        self.res_gate = LanguageGate(width)
        self.downsample = PatchMerging(width) if merges else None

    def attended(self, x: Tensor) -> Tensor:
        """The blocks: ``(B, h, w, C)`` -> the same."""
        for block in self.blocks:
            x = block(x)
        return x

    def read(self, x: Tensor, words: Tensor, token_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Let the words in.

        Returns:
            The fused map ``(B, h, w, C)``, and what the next stage begins with; after the last one nothing is gated.
        """
        fused = self.fusion(x.flatten(1, 2), words, token_mask).unflatten(1, x.shape[1:3])
        if self.downsample is None:
            return fused, x
        return fused, self.downsample(x + self.res_gate(fused) * fused)


class LavtDecoder(nn.Module):
    """From the deepest map to the finest: enlarged, joined with the next one, and convolved twice (section 3.4)."""

    LEVELS = (4, 3, 2)  # the deepest map of each level

    def __init__(self, widths: tuple[int, ...], channels: int):
        super().__init__()
        deep = widths[-1]
        for level, skip in zip(self.LEVELS, widths[-2::-1], strict=True):
            for number, inside in ((1, deep + skip), (2, channels)):
                self.add_module(f"conv{number}_{level}", nn.Conv2d(inside, channels, 3, padding=1, bias=False))
                self.add_module(f"bn{number}_{level}", nn.BatchNorm2d(channels))
            deep = channels
        self.conv1_1 = nn.Conv2d(channels, 2, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps of the four stages, ``(B, C, h, w)`` each -> logits ``(B, 2, h, w)`` at the first one's size."""
        x = maps[-1]
        for level, skip in zip(self.LEVELS, maps[-2::-1], strict=True):
            if x.shape[2] < skip.shape[2] or x.shape[3] < skip.shape[3]:
                x = enlarged_to(x, skip.shape[2:])
            x = torch.cat([x, skip], 1)
            for number in (1, 2):
                norm, convolution = (self.get_submodule(f"{kind}{number}_{level}") for kind in ("bn", "conv"))
                x = F.relu(norm(convolution(x)))
        return self.conv1_1(x)


def enlarged_to(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """``(B, C, h, w)`` at another size, bilinear, corners on corners."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


@torch.no_grad()
def drawn_lavt(sizes: LavtSizes, *, by_width: bool = False) -> Lavt:
    """A network before it learns: weights as the authors draw them, with torch's generator.

    The backbone's linear layers and tables of biases are normal with deviation 0.02, cut at 2; its biases are 0. The
    convolutions keep torch's start. BERT's weights are drawn as BERT does.

    Args:
        sizes: of the network.
        by_width: let the deviations of linear layers follow from their width, ``width ** -0.5``. The authors start from
            trained weights, and 0.02 in a small network is a whisper: gates stay shut and attentions even.
    """
    network = Lavt(sizes)
    draw_weights(network.text_encoder, by_width=by_width)
    for module in network.backbone.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.weight.shape[1] ** -0.5 if by_width else 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, WindowAttention):
            nn.init.trunc_normal_(module.relative_position_bias_table, std=0.02)
    return network
