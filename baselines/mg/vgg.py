"""The image side of MG: a VGG trunk, four levels of it at one size, and convolutions into the common space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import MgConfig

MEAN = (123.68, 116.78, 103.94)  # red, green, blue, of pixels from 0 to 255
SLOPE = 0.25  # of the leaky ReLU, in all heads


class MgLevels(nn.Module):
    """VGG's 3x3 convolutions with a ReLU after each; the maxima over 2x2 cells drop an odd last row and column."""

    def __init__(self, config: MgConfig):
        super().__init__()
        self._places = config.places
        self._last = max(self._places)
        before = 3
        for stage, widths in enumerate(config.widths[: self._last[0] + 1], start=1):
            for place, width in enumerate(widths, start=1):
                if (stage - 1, place - 1) > self._last:
                    break
                self.add_module(f"conv{stage}_{place}", nn.Conv2d(before, width, 3, padding=1))
                if config.batchnorm:
                    self.add_module(f"bn{stage}_{place}", nn.BatchNorm2d(width))
                before = width
        self._batchnorm = config.batchnorm
        self._depths = [len(widths) for widths in config.widths]

    def forward(self, images: Tensor) -> list[Tensor]:
        """The levels in their order.

        Args:
            images: ``(B, 3, S, S)``, red, green, blue from 0 to 255; the mean is subtracted here.

        Returns:
            ``(B, C, h, w)`` each, not negative, of the sizes that the trunk gives them (37 and 18 for S = 299).
        """
        x = images - images.new_tensor(MEAN)[:, None, None]
        found: dict[tuple[int, int], Tensor] = {}
        for stage, depth in enumerate(self._depths):
            x = F.max_pool2d(x, 2) if stage else x
            for place in range(depth):
                x = self.get_submodule(f"conv{stage + 1}_{place + 1}")(x)
                if self._batchnorm:
                    x = self.get_submodule(f"bn{stage + 1}_{place + 1}")(x)
                x = found[stage, place] = F.relu(x)
                if (stage, place) == self._last:
                    return [found[one] for one in self._places]
        raise AssertionError("a level lies in the trunk")  # pragma: no cover


class ImageMapping(nn.Module):
    """From the levels to unit vectors of the common space: each level is resized, and then has its own convolutions."""

    def __init__(self, config: MgConfig):
        super().__init__()
        for number, (stage, place) in enumerate(config.places, start=1):
            layers: list[nn.Module] = []
            before = config.widths[stage][place]
            for width in config.head:
                layers.append(nn.Conv2d(before, width, config.kernel, padding=config.kernel // 2))
                before = width
            self.add_module(f"v{number}", nn.ModuleList(layers))
        self._grid, self._resize = config.grid, config.resize

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, tuple[int, int]]:
        """``(B, L, N, D)``, unit length, the N cells row by row; and the grid's height and width."""
        choose = max if self._grid == "largest" else min
        height, width = (choose(level.shape[axis] for level in levels) for axis in (2, 3))
        vectors = []
        for level, layers in zip(levels, self.children(), strict=True):
            x = legacy(level, (height, width)) if self._resize == "legacy" else aligned(level, (height, width))
            assert isinstance(layers, nn.ModuleList)
            for convolution in layers:
                x = F.leaky_relu(convolution(x), SLOPE)
            vectors.append(unit(x.flatten(2).transpose(1, 2)))
        return torch.stack(vectors, 1), (height, width)


def unit(x: Tensor) -> Tensor:
    """Vectors ``(…, D)`` of unit length; a vector whose squares sum to less than 1e-12 stays shorter."""
    x = x.float()
    return x * x.square().sum(-1, keepdim=True).clamp(min=1e-12).rsqrt()


def legacy(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """TensorFlow 1's bilinear resize: cell i of the new map lies at ``i * old / new`` of the old one.

    No cell's centre is half a pixel off, so the map moves to the upper left, and its last rows repeat the last old one.

    Args:
        maps: ``(B, C, h, w)``.
        size: the new height and width.
    """
    if maps.shape[2:] == size:
        return maps
    for axis, new in ((3, size[1]), (2, size[0])):
        old = maps.shape[axis]
        at = torch.arange(new, device=maps.device, dtype=torch.float32) * (old / new)
        low = at.long().clamp(max=old - 1)
        share = (at - low).to(maps.dtype).reshape([new if one == axis else 1 for one in range(4)])
        before, after = maps.index_select(axis, low), maps.index_select(axis, (low + 1).clamp(max=old - 1))
        maps = before + (after - before) * share
    return maps


def aligned(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize with the corners on the corners: ``(B, C, h, w)`` -> ``(B, C, *size)``."""
    if maps.shape[2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=True)
