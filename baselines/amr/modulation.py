"""Attention modulation (AMR's AMM): gates that favour features of middling importance over the strongest ones.

A gate is a Gaussian density of an attention value. The density is largest at the mean of all attention values, so that
the most and the least sensitive features are damped and those between them come forward. A channel gate goes first, a
spatial gate works on its result. The paper writes of a modulation per feature; the authors' program takes mean and
deviation over the whole tensor, the batch included, and that is what is computed here. So a gate may exceed 1, and what
is computed of an image depends on the other images of its batch.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Statistics = Literal["batch", "running"]


def gaussian_density(values: Tensor) -> Tensor:
    """The normal density of every value, by the mean and the unbiased deviation of all of them.

    Args:
        values: of any shape, at least two numbers. Values that are all equal have no deviation, and give NaN as the
            authors' program does.

    Returns:
        The same shape. Mean and deviation are constants for the gradient.
    """
    mean, deviation = values.mean().detach(), values.std().detach()
    return torch.exp(-((values - mean) ** 2) / (2 * deviation**2)) / (math.sqrt(2 * math.pi) * deviation)


class ChannelGate(nn.Module):
    """A gate for every channel of every image, from the channel's mean."""

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        inner = max(1, channels // reduction)
        # The places in the sequence are part of the names in the authors' files.
        self.mlp = nn.Sequential(nn.Flatten(), nn.Linear(channels, inner), nn.ReLU(), nn.Linear(inner, channels))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, h, w)``, gated."""
        return x * gaussian_density(self.mlp(x.mean((2, 3))))[:, :, None, None]


class SpatialNorm(nn.BatchNorm2d):
    """BatchNorm of one channel that keeps to the statistics of its batch at inference too.

    The authors' network overrides ``train()`` without calling torch's, so evaluation mode changes nothing in it, and
    their stored statistics never enter a result. Here they are kept up to date in training, are not touched at
    inference, and are used where ``statistics`` is ``running``.

    Attributes:
        statistics: ``batch`` as the authors compute, ``running`` as they meant.
    """

    def __init__(self) -> None:
        super().__init__(1, eps=1e-5, momentum=0.01)
        self.statistics: Statistics = "batch"

    def forward(self, input: Tensor) -> Tensor:
        """``(B, 1, h, w)``, normalised."""
        if self.training or self.statistics == "running":
            return super().forward(input)
        return F.batch_norm(input, None, None, self.weight, self.bias, training=True, eps=self.eps)


class _SpatialConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.bn = SpatialNorm()

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class SpatialGate(nn.Module):
    """A gate for every position of every image, from the maximum and the mean over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = _SpatialConv()

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, h, w)``, gated."""
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        return x * gaussian_density(self.spatial(pooled))


class AttentionModulation(nn.Module):
    """Both gates, one after the other; the names of the parts are those of the authors' files."""

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        self.ChannelAMM = ChannelGate(channels, reduction)
        self.SpatialAMM = SpatialGate()

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, h, w)``, modulated."""
        return self.SpatialAMM(self.ChannelAMM(x))
