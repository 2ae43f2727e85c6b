"""The trunk of each branch: torchvision's ResNet, whose BatchNorms keep to stored statistics in training too."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from .modulation import AttentionModulation

EXPANSION = 4


class FixedBatchNorm(nn.BatchNorm2d):
    """BatchNorm by stored statistics, in training too. Weight and bias learn all the same.

    Attributes:
        live: an ordinary BatchNorm instead. A network that starts from drawn weights, and not from ImageNet's, has no
            statistics worth keeping to.
    """

    live: bool = False

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C, h, w)``, normalised."""
        if self.live:
            return super().forward(input)
        return F.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
        )


class AmrBottleneck(nn.Module):
    """1x1, 3x3 (which has the stride), 1x1; attention modulation, if any, before the shortcut is added."""

    def __init__(self, channels: int, planes: int, stride: int, reduction: int | None):
        super().__init__()
        out = EXPANSION * planes
        self.conv1 = nn.Conv2d(channels, planes, 1, bias=False)
        self.bn1 = FixedBatchNorm(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = FixedBatchNorm(planes)
        self.conv3 = nn.Conv2d(planes, out, 1, bias=False)
        self.bn3 = FixedBatchNorm(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), FixedBatchNorm(out))
        self.amm = AttentionModulation(out, reduction) if reduction else None

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, h, w)`` -> ``(B, 4 * planes, ceil(h / stride), ceil(w / stride))``."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        if self.amm is not None:
            y = self.amm(y)
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(y + shortcut, inplace=True)


class AmrResNet(nn.Module):
    """A ResNet without its pool and its classifier.

    Four steps halve the map, each rounding up, where the strides are the authors': 7x7 stem, pooling, layers 2 and 3.
    """

    def __init__(
        self,
        stem: int,
        planes: tuple[int, ...],
        depth: tuple[int, ...],
        strides: tuple[int, ...],
        reduction: int | None = None,
    ):
        """Build a trunk.

        Args:
            stem: channels of the first convolution.
            planes: inner channels of the bottlenecks of the four layers; a layer gives four times as many.
            depth: bottlenecks of the four layers.
            strides: of the first convolution and of layers 2, 3 and 4.
            reduction: of attention modulation's channel gates; None for a trunk without modulation.
        """
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 7, strides[0], 3, bias=False)
        self.bn1 = FixedBatchNorm(stem)
        widths = (stem, *(EXPANSION * width for width in planes))
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _layer(widths[at], planes[at], depth[at], stride, reduction) for at, stride in enumerate((1, *strides[1:]))
        )

    def first(self, x: Tensor) -> Tensor:
        """The stem, its pooling and layer 1: what the authors call stage 1; ``(B, 3, H, W)`` -> ``(B, C, h, w)``."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        return self.layer1(x)

    def rest(self, x: Tensor) -> Tensor:
        """Layers 2 to 4."""
        return self.layer4(self.layer3(self.layer2(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)``, normalised -> features ``(B, K, h, w)``, not negative."""
        return self.rest(self.first(x))


def _layer(channels: int, planes: int, count: int, stride: int, reduction: int | None) -> nn.Sequential:
    first = AmrBottleneck(channels, planes, stride, reduction)
    others = (AmrBottleneck(EXPANSION * planes, planes, 1, reduction) for _ in range(count - 1))
    return nn.Sequential(first, *others)
