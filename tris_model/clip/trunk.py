"""CLIP's ModifiedResNet; it returns its four layers (stage 1 of TRIS uses c4, stage 2 uses all four).

It differs from a plain ResNet: the stem has three convolutions instead of one, and strides are average pools
("anti-aliased"). Key names are OpenAI's, so their files and the authors' load without renaming.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import Config
from .text import drawn

Pyramid = tuple[Tensor, Tensor, Tensor, Tensor]


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3, (pool), 1x1, each with BatchNorm.

    The shortcut is pooled and projected if the shape changes.
    """

    def __init__(self, inside: int, planes: int, stride: int):
        super().__init__()
        outside = 4 * planes
        self.conv1 = nn.Conv2d(inside, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.avgpool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.conv3 = nn.Conv2d(planes, outside, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inside != outside:
            parts = OrderedDict[str, nn.Module]()
            parts["-1"] = nn.AvgPool2d(stride)
            parts["0"] = nn.Conv2d(inside, outside, 1, bias=False)
            parts["1"] = nn.BatchNorm2d(outside)
            self.downsample = nn.Sequential(parts)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inside, H, W)`` -> ``(B, 4 * planes, H / stride, W / stride)``."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(self.avgpool(out)))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


def _layer(inside: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    rest = (Bottleneck(4 * planes, planes, 1) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(inside, planes, stride), *rest)


def resized(table: Tensor, height: int, width: int) -> Tensor:
    """Resize position embeddings of a square grid, with one row before it, bilinearly to another grid.

    Args:
        table: ``(1 + side * side, C)``.
        height, width: the new grid.

    Returns:
        ``(1 + height * width, C)``; the table itself if the grid is the same.
    """
    first, grid = table[:1], table[1:]
    side = round(len(grid) ** 0.5)
    if (height, width) == (side, side):
        return table
    grid = grid.T.reshape(1, -1, side, side)
    grid = F.interpolate(grid, size=(height, width), mode="bilinear", align_corners=False)
    return torch.cat([first, grid[0].flatten(1).T])


class AttentionPool(nn.Module):
    """CLIP's attention pool.

    The authors compute it without using it; here TRIS keeps its weights but does not compute it.
    """

    def __init__(self, grid: int, channels: int, heads: int, embed: int):
        super().__init__()
        self.positional_embedding = nn.Parameter(drawn(grid * grid + 1, channels, deviation=channels**-0.5))
        self.k_proj = nn.Linear(channels, channels)
        self.q_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.c_proj = nn.Linear(channels, embed)
        self.heads = heads

    def positions(self, height: int, width: int) -> Tensor:
        """Position embeddings resized bilinearly to the feature's grid, the mean token's first: ``(1 + h * w, C)``."""
        return resized(self.positional_embedding, height, width)

    def summary(self, x: Tensor) -> Tensor:
        """Only the global feature, ``(B, C, h, w)`` -> ``(B, embed)``, at a fraction of the cost.

        A single query needs no projected keys and values. The query is multiplied by the key projection instead; the
        key bias adds the same number to all cells and cancels in the softmax. The cells are averaged before the value
        projection.
        """
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + self.positions(*x.shape[2:])
        size = tokens.shape[2] // self.heads
        query = self.q_proj(tokens[:, 0]).unflatten(1, (self.heads, size))  # (B, heads, C / heads)
        keys = self.k_proj.weight.unflatten(0, (self.heads, size))  # (heads, C / heads, C)
        towards = torch.einsum("bhd,hdc,bpc->bhp", query, keys, tokens) * size**-0.5
        averages = towards.softmax(2) @ tokens  # (B, heads, C)
        values = torch.einsum("bhc,hdc->bhd", averages, self.v_proj.weight.unflatten(0, (self.heads, size)))
        return self.c_proj(values.flatten(1) + self.v_proj.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, C, h, w)`` -> the global feature ``(B, embed)`` and the local ones ``(B, embed, h, w)``."""
        height, width = x.shape[2:]
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + self.positions(height, width)
        q, k, v = (
            project(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out = self.c_proj(out)
        return out[:, 0], out[:, 1:].transpose(1, 2).unflatten(2, (height, width))


class Trunk(nn.Module):
    """The image tower up to c4."""

    def __init__(self, config: Config):
        super().__init__()
        width = config.width
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.avgpool = nn.AvgPool2d(2)
        strides = {32: (1, 2, 2, 2), 16: (1, 2, 2, 1), 8: (1, 2, 1, 1)}[config.stride]
        inside = (width, *config.channels)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _layer(inside[i], inside[i + 1] // 4, config.depth[i], strides[i]) for i in range(4)
        )
        self.ramp = nn.Parameter(torch.zeros(2, config.channels[2])) if config.ramp else None
        if config.pool_grid:
            self.attnpool = AttentionPool(config.pool_grid, config.channels[3], config.pool_heads, config.embed)

    def forward(self, x: Tensor) -> Pyramid:
        """Encode images at four scales.

        Args:
            x: ``(B, 3, H, W)``, normalised.

        Returns:
            c1 ``(B, 4w, H/4, W/4)``, c2 ``(B, 8w, H/8, W/8)``, c3 ``(B, 16w, H/16, W/16)``, c4 ``(B, 32w, H/32, W/32)``
            for width w (64 in RN50) and stride 32.
        """
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = self.avgpool(F.relu(self.bn3(self.conv3(x))))
        c1 = self.layer1(x)
        c2 = self.layer2(c1)
        c3 = self.layer3(c2)
        return c1, c2, c3, self.layer4(placed(c3, self.ramp))


def placed(x: Tensor, ramp: Tensor | None) -> Tensor:
    """Add ramps ``(2, C)`` from -1 to 1 to a map ``(B, C, h, w)``, the first along x, the second along y."""
    if ramp is None:
        return x
    rows, columns = (torch.linspace(-1, 1, side, dtype=x.dtype, device=x.device) for side in x.shape[2:])
    across, down = ramp.to(x.dtype)[:, :, None, None]
    return x + across * columns + down * rows[:, None]
