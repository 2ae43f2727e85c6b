"""3x3 convolutions with a quarter of the multiplications, after Winograd: F(4x4, 3x3) of Lavin and Gray (CVPR 2016).

A tile of 6x6 inputs gives 4x4 outputs. Tiles and kernels are transformed, multiplied channel by channel in 36 matrix
products, and transformed back. The transforms have factors up to 8, so the rounding error of a convolution is some ten
times that of the plain sum (1e-5 of the largest value instead of 1e-6); it is still float32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TILE = 4
WIDE = 128  # channels
LARGE = 16  # cells
_SIDE = TILE + 2
_INPUT = (
    (4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1),
)  # fmt: skip
_KERNEL = (
    (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
)  # fmt: skip
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


def suits(weight: Tensor, stride: list[int], padding: list[int]) -> bool:
    """Whether a convolution can be computed so, and is wide enough to gain by it."""
    square = tuple(weight.shape[2:]) == (3, 3) and stride == [1, 1] and padding == [1, 1]
    return square and weight.dtype == torch.float32 and min(weight.shape[:2]) >= WIDE


def pays(x: Tensor) -> bool:
    """Whether maps ``(B, C, H, W)`` are large enough: the transformed kernels are four times as large to read."""
    return min(x.shape[2:]) >= LARGE


class WinogradConv(nn.Module):
    """A 3x3 convolution of stride 1 with padding 1, a bias and a ReLU; the size stays the same."""

    kernels: Tensor
    bias: Tensor
    there: Tensor
    back: Tensor

    def __init__(self, weight: Tensor, bias: Tensor):
        """Transform the kernels.

        Args:
            weight: float32 ``(outside, inside, 3, 3)``.
            bias: ``(outside,)``.
        """
        super().__init__()
        kernel = torch.tensor(_KERNEL, dtype=torch.float64)
        kernels = torch.einsum("ij,ocjk,lk->ilco", kernel, weight.double(), kernel).float()
        there, back = torch.tensor(_INPUT, dtype=torch.float32), torch.tensor(_OUTPUT, dtype=torch.float32)
        # The bias is one more summand of the transform back, which saves a pass over the outputs.
        back = torch.cat([torch.kron(back, back), torch.ones(TILE**2, 1)], 1)
        self.register_buffer("kernels", kernels.flatten(0, 1).contiguous(), persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.register_buffer("there", torch.kron(there, there), persistent=False)
        self.register_buffer("back", back, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inside, H, W)``, best channels-last -> ``(B, outside, H, W)``, channels-last."""
        count, inside, height, width = x.shape
        down, across = -(-height // TILE), -(-width // TILE)
        padding = (0, 0, 1, TILE * across + 1 - width, 1, TILE * down + 1 - height)
        padded = F.pad(x.permute(0, 2, 3, 1), padding)
        image, row, column, _ = padded.stride()
        tiles = padded.as_strided(
            (_SIDE, _SIDE, count, down, across, inside), (row, column, image, TILE * row, TILE * column, 1)
        )
        number, outside = count * down * across, len(self.bias)
        transformed = torch.mm(self.there, tiles.reshape(_SIDE**2, -1)).view(-1, number, inside)
        products = x.new_empty(_SIDE**2 + 1, number, outside)
        torch.bmm(transformed, self.kernels, out=products[:-1])
        products[-1] = self.bias
        found = torch.mm(self.back, products.view(_SIDE**2 + 1, -1))
        found = found.view(TILE, TILE, count, down, across, outside).permute(2, 3, 0, 4, 1, 5)
        whole = x.new_empty(count, down, TILE, across, TILE, outside)
        torch.clamp_min(found, 0, out=whole)
        whole = whole.view(count, TILE * down, TILE * across, outside)[:, :height, :width]
        return whole.permute(0, 3, 1, 2)
