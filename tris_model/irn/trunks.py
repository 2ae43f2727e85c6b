"""The image encoder of IRN: a frozen trunk that gives features at five depths.

The paper uses torchvision's ResNet-50, trained on ImageNet, without its last stride. For the drawn world there are no
ImageNet weights, so the CLIP trunk of stage 1 is used.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbench.errors import UsageError

from ..clip.trunk import Trunk, placed
from ..files.architecture import fill
from ..files.checkpoint import read

RESNET50 = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
Features = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class FiveDepths(Protocol):
    """An image encoder for the network, a module.

    Attributes:
        channels: number of channels of each of the five features.
        strides: side of a cell of each feature in pixels; the first two are 4.
        multiple: an image's sides must be multiples of this.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    multiple: int

    def __call__(self, images: Tensor) -> Features:
        """``(B, 3, H, W)``, ImageNet's normalisation -> five features ``(B, channels, ~H / stride, ~W / stride)``."""
        ...


class FiveDepthResNet(nn.Module):
    """torchvision's ResNet-50 with strides 4, 4, 8, 16, 16."""

    channels: tuple[int, ...] = (64, 256, 512, 1024, 2048)
    strides: tuple[int, ...] = (4, 4, 8, 16, 16)
    multiple = 1

    def __init__(self, weights: str | os.PathLike[str] | None):
        """Build it.

        Args:
            weights: torchvision's file (``.pth`` or safetensors); None for an untrained network, in tests.

        Raises:
            UsageError: there is no such file; the message says where to get it.
            DataError: the file holds another network; the keys are named.
        """
        super().__init__()
        from torchvision.models import resnet50

        if weights is not None and not Path(weights).is_file():
            raise UsageError(f"there is no trunk file {weights}; IRN needs ImageNet's ResNet-50: get {RESNET50}")
        self.resnet = resnet50(weights=None)
        self.resnet.fc = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        first = self.resnet.layer4[0]
        # No dilation instead of the stride, unlike torchvision's own option: as in IRN's code.
        first.conv2.stride = first.downsample[0].stride = (1, 1)  # pyright: ignore
        if weights is not None:
            state = {key: value for key, value in read(Path(weights)).state.items() if not key.startswith("fc.")}
            # Older files have no batch counters, which are not used.
            counts = {key: value for key, value in self.resnet.state_dict().items() if key.endswith("_tracked")}
            fill(self.resnet, {**counts, **state}, f"{weights} as torchvision's ResNet-50")

    def forward(self, images: Tensor) -> Features:
        """See :class:`FiveDepths`."""
        net = self.resnet
        x1 = net.maxpool(net.relu(net.bn1(net.conv1(images))))
        x2 = net.layer1(x1)
        x3 = net.layer2(x2)
        x4 = net.layer3(x3)
        return x1, x2, x3, x4, net.layer4(x4)


class ClipTrunk(nn.Module):
    """The image tower of a TRIS network: its stem and c1 to c4. The tower is shared, not copied."""

    def __init__(self, trunk: Trunk):
        super().__init__()
        self.trunk = trunk
        layers = (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4)
        blocks = [layer[0] for layer in layers]
        self.channels: tuple[int, ...] = (trunk.conv3.out_channels, *(block.conv3.out_channels for block in blocks))  # pyright: ignore
        pools = [block.avgpool for block in blocks]
        strides = [4]
        for pool in pools:
            strides.append(strides[-1] * (int(pool.kernel_size) if isinstance(pool, nn.AvgPool2d) else 1))  # pyright: ignore
        self.strides: tuple[int, ...] = tuple(strides)
        self.multiple = strides[-1]  # its pools drop what is left over

    def forward(self, images: Tensor) -> Features:
        """See :class:`FiveDepths`."""
        trunk = self.trunk
        x = F.relu(trunk.bn1(trunk.conv1(images)))
        x = F.relu(trunk.bn2(trunk.conv2(x)))
        stem = trunk.avgpool(F.relu(trunk.bn3(trunk.conv3(x))))
        c1 = trunk.layer1(stem)
        c2 = trunk.layer2(c1)
        c3 = trunk.layer3(c2)
        return stem, c1, c2, c3, trunk.layer4(placed(c3, trunk.ramp))


def fingerprint(module: nn.Module) -> str:
    """The sha256 of all weights of a module; a file of heads uses it to identify its trunk."""
    digest = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        if not key.endswith("num_batches_tracked"):
            digest.update(key.encode())
            digest.update(value.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()
