"""Make a network faster for inference: fold BatchNorm into its convolution, and pack weights for the CPU.

A folded layer computes the same sums in another order, so maps differ by float32 noise (in the tests below 1e-4 of
their maximum). With oneDNN's packed weights a row of a product does not depend on the other rows, if there are any:
a long product of a single row is added up in another order. A fused network is for inference only and cannot be
trained or saved. Fuse a network that was just loaded, and use only the fused one.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..clip.text import CausalAttention
from ..clip.trunk import Bottleneck, Pyramid, Trunk, placed
from ..network.stage2 import Smooth
from .winograd import WinogradConv, pays, suits

M = TypeVar("M", bound=nn.Module)


@cache
def packs(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this torch has the private oneDNN operators, and they compute the same as the public operators.

    Torch's own compiler uses them for frozen networks. They are not a stable interface, so they are tested before use.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    near = 1e-5 if dtype == torch.float32 else 0.05
    try:
        ones = torch.ones(1, 16, 4, 4).contiguous(memory_format=torch.channels_last)
        conv = nn.Conv2d(16, 16, 3, padding=1)
        linear = nn.Linear(16, 16)
        with torch.inference_mode():
            packed = Conv(conv, None, relu=True, kind=Kind(True, dtype))(ones.to(dtype), ones.to(dtype))
            if packed.dtype != dtype or not torch.allclose(packed.float(), F.relu(conv(ones) + ones), atol=near):
                return False
            rows = torch.ones(4, 16)
            return torch.allclose(Linear(linear.weight, linear.bias, pack=True)(rows), linear(rows), atol=1e-5)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False


class Kind(NamedTuple):
    """How convolutions are computed.

    Attributes:
        pack: with oneDNN's packed weights.
        dtype: of images and features; None for the weights' own.
        winograd: wide 3x3 convolutions over large maps by :class:`~tris_model.inference.winograd.WinogradConv`.
    """

    pack: bool
    dtype: torch.dtype | None = None
    winograd: bool = False


class Conv(nn.Module):
    """A convolution with folded BatchNorm, an optional summand and an optional ReLU."""

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d | None,
        *,
        relu: bool = False,
        kind: Kind,
    ):
        """Fold BatchNorm; weights are packed when the first images come."""
        super().__init__()
        weight, bias = conv.weight.detach(), conv.bias.detach() if conv.bias is not None else None
        if norm is not None:
            if norm.running_mean is None or norm.running_var is None:
                raise ValueError("a BatchNorm without running statistics cannot be folded")
            gain = norm.weight.detach() * torch.rsqrt(norm.running_var + norm.eps)
            weight = weight * gain[:, None, None, None]
            shift = norm.running_mean if bias is None else norm.running_mean - bias
            bias = norm.bias.detach() - shift * gain
        if kind.dtype is not None:  # after folding, which loses precision in bfloat16
            weight, bias = weight.to(kind.dtype), None if bias is None else bias.to(kind.dtype)
        # oneDNN and cuDNN both use channels-last weights without reordering.
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last), persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.padding = [int(side) for side in conv.padding]
        self.stride = list(conv.stride)
        self.relu = relu
        self.pack = kind.pack
        self.packed = False
        self.may_be_winograd = kind.winograd and relu and bias is not None and suits(weight, self.stride, self.padding)
        self.winograd: WinogradConv | None = None

    def forward(self, x: Tensor, summand: Tensor | None = None) -> Tensor:
        """``(B, inside, H, W)``, summand of the output's shape -> ``(B, outside, H', W')``."""
        if not self.pack:
            out = F.conv2d(x, self.weight, self.bias, self.stride, self.padding)
            out = out if summand is None else out.add_(summand)
            return out.relu_() if self.relu else out
        if self.winograd is not None and summand is None:
            return self.winograd(x)
        if not self.packed and self.may_be_winograd and summand is None and pays(x):
            assert self.bias is not None
            self.winograd = WinogradConv(self.weight, self.bias)
            self.weight = self.weight.new_empty(0)
            return self.winograd(x)
        ops = torch.ops.mkldnn
        if not self.packed:  # the best layout depends on the input, known only now
            self.weight = ops._reorder_convolution_weight(
                self.weight, self.padding, self.stride, [1, 1], 1, list(x.shape)
            )
            self.packed = True
        layout = (self.padding, self.stride, [1, 1], 1)
        after = "relu" if self.relu else "none"
        if summand is None:
            return ops._convolution_pointwise(x, self.weight, self.bias, *layout, after, [], "")
        then = "relu" if self.relu else None
        return ops._convolution_pointwise.binary(x, summand, self.weight, self.bias, *layout, "add", 1.0, then, [], "")


class Linear(nn.Module):
    """A linear layer; its weight is packed on request."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, *, pack: bool):
        super().__init__()
        self.outside, self.inside = weight.shape
        weight = weight.detach()
        if pack:  # 64 rows: a handful of texts, what an image usually has
            weight = torch.ops.mkldnn._reorder_linear_weight(weight, 64)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach(), persistent=False)
        self.pack = pack

    def forward(self, x: Tensor) -> Tensor:
        """``(..., inside)`` -> ``(..., outside)``."""
        if self.pack:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return F.linear(x, self.weight, self.bias)


class PackedAttention(CausalAttention):
    """Causal attention with packed projections."""

    def __init__(self, attention: CausalAttention, *, pack: bool):
        nn.Module.__init__(self)
        self.heads = attention.heads
        self.in_proj = Linear(attention.in_proj_weight, attention.in_proj_bias, pack=pack)
        self.out_proj = Linear(attention.out_proj.weight, attention.out_proj.bias, pack=pack)

    def project(self, x: Tensor) -> Tensor:
        """``(N, L, C)`` -> ``(N, L, 3C)``."""
        return self.in_proj(x)


class QuickBottleneck(nn.Module):
    """A bottleneck in three or four fused convolutions."""

    def __init__(self, block: Bottleneck, kind: Kind):
        super().__init__()
        self.conv1 = Conv(block.conv1, block.bn1, relu=True, kind=kind)
        self.conv2 = Conv(block.conv2, block.bn2, relu=True, kind=kind)
        self.pool = block.avgpool
        self.conv3 = Conv(block.conv3, block.bn3, relu=True, kind=kind)
        self.shortcut = nn.Identity()
        if (down := block.downsample) is not None:
            pool, conv, norm = down.children()
            if not isinstance(conv, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
                raise TypeError("a shortcut must consist of a pool, a convolution and a BatchNorm")
            self.shortcut = nn.Sequential(pool, Conv(conv, norm, kind=kind))

    def forward(self, x: Tensor) -> Tensor:
        """Like :class:`~tris_model.clip.trunk.Bottleneck`."""
        return self.conv3(self.pool(self.conv2(self.conv1(x))), self.shortcut(x))


class QuickTrunk(nn.Module):
    """The trunk in fused convolutions, without the attention pool."""

    def __init__(self, trunk: Trunk, kind: Kind):
        super().__init__()
        stem = ((trunk.conv1, trunk.bn1), (trunk.conv2, trunk.bn2), (trunk.conv3, trunk.bn3))
        convs = (Conv(conv, norm, relu=True, kind=kind) for conv, norm in stem)
        self.stem = nn.Sequential(*convs, trunk.avgpool)
        layers = (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4)
        self.ramp = trunk.ramp
        self.layers = nn.ModuleList(
            nn.Sequential(*(QuickBottleneck(block, kind) for block in layer if isinstance(block, Bottleneck)))
            for layer in layers
        )

    def forward(self, x: Tensor) -> Pyramid:
        """Like :class:`~tris_model.clip.trunk.Trunk`."""
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        c1 = self.layers[0](x)
        c2 = self.layers[1](c1)
        c3 = self.layers[2](c2)
        return c1, c2, c3, self.layers[3](placed(c3, self.ramp))


def fuse_for_inference(network: M, *, pack: bool | None = None, winograd: bool = False) -> M:
    """Replace the layers of a network in eval mode by faster ones, in place, and return the network.

    Args:
        network: a stage 1 or stage 2, on its device, in its dtype.
        pack: whether to use oneDNN's packed weights; by default if the network is float32 on the CPU and torch has
            them.
        winograd: whether packed 3x3 convolutions of the trunk may be computed after Winograd.
    """
    if pack is None:
        first = next(network.parameters())
        pack = first.device.type == "cpu" and first.dtype == torch.float32 and packs()
    for name, child in network.named_children():
        setattr(network, name, _quick(child, Kind(pack, winograd=winograd and pack)))
    return network


def _quick(module: nn.Module, kind: Kind) -> nn.Module:
    match module:
        case Trunk():
            return QuickTrunk(module, kind)
        case CausalAttention():
            return PackedAttention(module, pack=kind.pack)
        case nn.Conv2d():
            return Conv(module, None, kind=kind)
        case nn.Linear():
            return Linear(module.weight, module.bias, pack=kind.pack)
        case Smooth():
            return nn.Sequential(Conv(module.conv, module.bn, kind=kind), module.relu)
        case _:
            return fuse_for_inference(module, pack=kind.pack, winograd=kind.winograd)
