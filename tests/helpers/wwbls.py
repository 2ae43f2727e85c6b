"""WWbL as its authors' program has it: classes of theirs by name, written for these tests from the paper and the facts.

The forward pass here is the one that the network in ``baselines.wwbl`` is compared with, so it shares no code with it.
"""

from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)


class VGG16(nn.Module):
    """``models.vgg16.VGG16``: torchvision's first 23 layers."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for number in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512):
            if number == 0:
                layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
                continue
            layers += [nn.Conv2d(before, number, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
            before = number
        self.Org_model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.Org_model(x)


class BottleneckBlock(nn.Module):
    """``base.BottleneckBlock``."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.BN1 = nn.BatchNorm2d(after)
        self.conv1_drop = nn.Dropout2d(0.0)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.BN2 = nn.BatchNorm2d(after)
        self.conv2_drop = nn.Dropout2d(0.0)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.BN1(self.conv1_drop(self.conv1(x))))
        return torch.relu(self.BN2(self.conv2_drop(self.conv2(x))))


class UpBlock(BottleneckBlock):
    """``base.UpBlock``."""

    def __init__(self, before: int, after: int, last: bool) -> None:
        super().__init__(before, after)
        self.Upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.BN1(self.conv1(self.Upsample(x))))
        x = self.conv2(x)
        return x if self.last else torch.relu(self.BN2(x))


class MMDecoder(nn.Module):
    """``base.MMDecoder``."""

    def __init__(self, out_size: int) -> None:
        super().__init__()
        self.bottleneck = BottleneckBlock(512, 512)
        self.up0 = UpBlock(512, 512, last=False)
        self.up1 = UpBlock(512, 1, last=True)
        self.out_size = out_size

    def forward(self, features: Tensor, text: Tensor, size: int) -> tuple[Tensor, Tensor]:
        x = self.bottleneck(features)
        norm = torch.sqrt(torch.einsum("bchw,bchw->bhw", x, x))
        attention = torch.einsum("bchw,bc->bhw", x, text) / norm
        x = self.up1(self.up0(x * attention[:, None]))
        rows = torch.nn.functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=True)
        return 1 / (1 + torch.exp(-rows)), attention[:, None]


class MultiModel(nn.Module):
    """``model.MultiModel``."""

    def __init__(self, out_size: int = 304) -> None:
        super().__init__()
        self.E = VGG16()
        self.D = MMDecoder(out_size)
        self.args = argparse.Namespace(Isize=out_size, order_ae=16)

    def forward(self, images: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        return self.D(self.E(images), text, images.shape[2])


HOMES = {
    "model": (MultiModel,), "models": (), "models.vgg16": (VGG16,), "base": (MMDecoder, BottleneckBlock, UpBlock),
}  # fmt: skip


@contextmanager
def authors_modules() -> Iterator[None]:
    """While it lasts the classes above are pickled and found under their authors' names."""
    before = {kind: kind.__module__ for kinds in HOMES.values() for kind in kinds}
    for name, kinds in HOMES.items():
        home = types.ModuleType(name)
        for kind in kinds:
            setattr(home, kind.__name__, kind)
            kind.__module__ = name
        sys.modules[name] = home
    try:
        yield
    finally:
        for name in HOMES:
            del sys.modules[name]
        for kind, name in before.items():
            kind.__module__ = name


def made_up(seed: int = 0) -> MultiModel:
    """The authors' network with every weight drawn, so that maps are neither flat nor full, in eval mode."""
    torch.manual_seed(seed)
    network = MultiModel().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                module.bias.normal_(std=0.05)
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.2)
                module.running_mean.normal_(std=0.2)
                module.running_var.uniform_(0.5, 1.5)
    return network


def save_module(network: nn.Module, path: Path, **how: Any) -> Path:
    """The file that their training leaves: the DataParallel module itself, as it is on ``cuda:0``."""
    wrapped = nn.DataParallel(network)
    wrapped.device_ids, wrapped.output_device, wrapped.src_device_obj = [0], 0, torch.device("cuda", 0)  # type: ignore
    with authors_modules():
        torch.save(wrapped, path, **how)
    return path
