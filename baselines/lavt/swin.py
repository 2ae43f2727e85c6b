"""The Swin transformer (Liu et al., ICCV 2021) as LAVT uses it: attention in windows, shifted in every second block.

It differs from other Swins at the edges, and only there. A map is padded with zeros to whole windows after its
LayerNorm, and padding takes part in the attention like any patch. The shift is made even where the map is one window.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SEPARATED = -100.0  # what is added to the attention between regions that only the shift brought together


class PatchEmbedding(nn.Module):
    """Patches of the image, projected and normalised."""

    def __init__(self, patch: int, width: int):
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(3, width, patch, patch)
        self.norm = nn.LayerNorm(width)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, H, W)``, padded to whole patches at the right and the bottom -> ``(B, h, w, width)``."""
        return self.norm(self.proj(padded(images.movedim(1, 3), self.patch).movedim(3, 1)).movedim(1, 3))


class SwinBlock(nn.Module):
    """Attention in windows, then a perceptron; each after a LayerNorm, and added to its input."""

    def __init__(self, width: int, heads: int, window: int, shift: int, mlp: float, drop_path: float):
        super().__init__()
        self.window, self.shift, self.drop_path = window, shift, drop_path
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        hidden = round(width * mlp)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})

    def forward(self, x: Tensor) -> Tensor:
        """``(B, h, w, C)`` -> the same."""
        height, width = x.shape[1:3]
        whole = padded(self.norm1(x), self.window)
        grid = whole.shape[1:3]
        penalty = None
        if self.shift:
            whole = whole.roll((-self.shift, -self.shift), (1, 2))
            penalty = shift_penalty(grid, self.window, self.shift, whole)
        windows = self.attn(windows_of(whole, self.window), penalty)
        attended = from_windows(windows, grid, self.window)
        if self.shift:
            attended = attended.roll((self.shift, self.shift), (1, 2))
        x = x + self._dropped(attended[:, :height, :width])
        return x + self._dropped(self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)))))

    def _dropped(self, branch: Tensor) -> Tensor:
        """Stochastic depth: in training a branch is left out of some samples, and enlarged in the others."""
        if not self.training or not self.drop_path:
            return branch
        kept = 1 - self.drop_path
        draw = torch.rand(len(branch), 1, 1, 1, dtype=branch.dtype, device=branch.device)
        return branch * (draw < kept) / kept


class WindowAttention(nn.Module):
    """Attention of the patches of a window to one another, with a learnt bias for every relative place."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: int):
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} channels do not fall into {heads} heads")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", relative_places(window))

    def forward(self, x: Tensor, penalty: Tensor | None) -> Tensor:
        """Attend.

        Args:
            x: ``(B, windows, N, C)``, N patches a window.
            penalty: what is added to the attention, ``(windows, N, N)``.

        Returns:
            ``(B, windows, N, C)``.
        """
        # (3, B, windows, heads, N, C / heads)
        query, key, value = self.qkv(x).unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        scores = scores + self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        if penalty is not None:
            scores = scores + penalty[:, None]
        return self.proj((scores.softmax(-1).to(value.dtype) @ value).transpose(2, 3).flatten(3))


class PatchMerging(nn.Module):
    """Four neighbours become one patch of twice the channels."""

    def __init__(self, width: int):
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, h, w, C)``, an odd side padded with zeros -> ``(B, ceil(h / 2), ceil(w / 2), 2 C)``."""
        x = padded(x, 2)
        # Columns change last: (even, even), (odd row, even column), (even row, odd column), (odd, odd).
        parts = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(parts, 3)))


def padded(x: Tensor, multiple: int) -> Tensor:
    """``(B, h, w, C)`` with zeros at the bottom and the right, so that both sides are a multiple."""
    height, width = x.shape[1:3]
    down, right = -height % multiple, -width % multiple
    return F.pad(x, (0, 0, 0, right, 0, down)) if down or right else x


def windows_of(x: Tensor, window: int) -> Tensor:
    """``(B, h, w, C)`` of whole windows -> ``(B, windows, window * window, C)``, both row by row."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(batch, -1, window * window, channels)


def from_windows(x: Tensor, grid: tuple[int, ...], window: int) -> Tensor:
    """The inverse of :func:`windows_of`: back to ``(B, *grid, C)``."""
    batch, channels = len(x), x.shape[-1]
    x = x.reshape(batch, grid[0] // window, grid[1] // window, window, window, channels)
    return x.transpose(2, 3).reshape(batch, *grid, channels)


def relative_places(window: int) -> Tensor:
    """For every pair of patches of a window their row in the table of biases: int64 ``(N, N)``.

    ``(dy + window - 1) * (2 * window - 1) + (dx + window - 1)``, dy and dx the query's place less the key's.
    """
    rows, columns = (axis.flatten() for axis in torch.meshgrid(*[torch.arange(window)] * 2, indexing="ij"))
    down = rows[:, None] - rows[None] + window - 1
    right = columns[:, None] - columns[None] + window - 1
    return down * (2 * window - 1) + right


def shift_penalty(grid: tuple[int, ...], window: int, shift: int, like: Tensor) -> Tensor:
    """What keeps the regions of a shifted map apart: ``(windows, N, N)``, 0 within a region and -100 between two.

    The regions on each axis are all but the last window, the rest but the last ``shift`` patches, and those.
    """
    rows, columns = (
        (torch.arange(side, device=like.device) >= side - window).long()
        + (torch.arange(side, device=like.device) >= side - shift).long()
        for side in grid
    )
    region = windows_of((3 * rows[:, None] + columns[None])[None, :, :, None], window)[0, :, :, 0]
    return (region[:, :, None] != region[:, None, :]).to(like.dtype) * SEPARATED
