"""AMR's network: a plain branch that finds the most telling parts, and a modulated one that finds the others."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tris_model.ranges import Count

from .._words.classes import names
from .modulation import SpatialNorm, Statistics
from .resnet import EXPANSION, AmrResNet, FixedBatchNorm

ClassList = Literal["voc", "coco", "shapes"]
Four = tuple[Count, Count, Count, Count]


@dataclass(frozen=True, slots=True)
class AmrConfig:
    """The sizes of AMR; the defaults are the authors', two ResNet-50.

    Attributes:
        classes: what the classifiers tell apart; see :func:`class_names`.
        stem: channels of the first convolution.
        planes: inner channels of the four layers' bottlenecks; the last layer gives K = 4 times the last of them.
        depth: bottlenecks of the four layers.
        strides: of the first convolution and of layers 2, 3 and 4.
        reduction: how many times fewer channels a channel gate has inside.
    """

    classes: ClassList = "voc"
    stem: Count = 64
    planes: Four = (64, 128, 256, 512)
    depth: Four = (3, 4, 6, 3)
    strides: Four = (2, 2, 2, 1)
    reduction: Count = 16

    def to_json(self) -> str:
        """As it stands in a file of ours."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> AmrConfig:
        """The inverse.

        Raises:
            ValueError, TypeError: no configuration of AMR.
        """
        held = json.loads(text)
        sizes: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in held.items()}
        return cls(**sizes)


def class_names(classes: str) -> tuple[str, ...]:
    """The classes of a classifier in the order of its outputs.

    Args:
        classes: ``voc``, Pascal VOC's 20 in the alphabet's order, as VOC numbers them; ``coco``, COCO's 80 in COCO's
            order; ``shapes``, the drawn world's 8.
    """
    found = names(classes)  # pyright: ignore[reportArgumentType]
    return tuple(sorted(found)) if classes == "voc" else found


class AmrNetwork(nn.Module):
    """Both branches. Its state dict has the authors' names, each tensor once.

    Attributes:
        config: sizes.
    """

    def __init__(self, config: AmrConfig):
        super().__init__()
        self.config = config
        channels, count = EXPANSION * config.planes[3], len(class_names(config.classes))
        sizes = (config.stem, config.planes, config.depth, config.strides)
        self.resnet50 = AmrResNet(*sizes)
        self.classifier = nn.Conv2d(channels, count, 1, bias=False)
        self.resnet50_2 = AmrResNet(*sizes, reduction=config.reduction)
        self.classifier2 = nn.Conv2d(channels, count, 1, bias=False)

    @property
    def branches(self) -> tuple[tuple[AmrResNet, Tensor], tuple[AmrResNet, Tensor]]:
        """The plain and the modulated branch, each as features and head.

        Features take images ``(B, 3, H, W)`` to ``(B, K, h, w)``; a head is ``(C, K)``.
        """
        first, second = (layer.weight[:, :, 0, 0] for layer in (self.classifier, self.classifier2))
        return (self.resnet50, first), (self.resnet50_2, second)

    def forward(self, images: Tensor, *, learning: bool = False) -> tuple[Tensor, Tensor]:
        """Raw class maps of both branches.

        Args:
            images: ``(B, 3, H, W)`` float32, normalised by ImageNet's mean and deviation. The second branch's maps of
                an image depend on the rest of its batch.
            learning: cut the gradient where the authors cut it: the plain branch's features are constants, and so is
                what the modulated branch's stem and first layer give.

        Returns:
            Two maps ``(B, C, h, w)``, of any sign, at a sixteenth of the image's sides (rounded up).
        """
        if learning:
            with torch.no_grad():
                plain, begun = self.resnet50(images), self.resnet50_2.first(images)
            modulated = self.resnet50_2.rest(begun)
        else:
            plain, modulated = self.resnet50(images), self.resnet50_2(images)
        return self.classifier(plain), self.classifier2(modulated)

    def use(self, statistics: Statistics) -> AmrNetwork:
        """Choose what the spatial gates normalise with at inference; see :class:`.modulation.SpatialNorm`."""
        for layer in self.modules():
            if isinstance(layer, SpatialNorm):
                layer.statistics = statistics
        return self


class CamNetwork(nn.Module):
    """One plain branch with its classifier: the network of class activation maps that AMR starts from."""

    def __init__(self, config: AmrConfig):
        super().__init__()
        self.config = config
        self.resnet50 = AmrResNet(config.stem, config.planes, config.depth, config.strides)
        self.classifier = nn.Conv2d(EXPANSION * config.planes[3], len(class_names(config.classes)), 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` -> logits of the classes ``(B, C)``, from the mean of the features."""
        return F.conv2d(self.resnet50(images).mean((2, 3), keepdim=True), self.classifier.weight)[:, :, 0, 0]


def set_live(network: nn.Module, live: bool) -> None:
    """Make the trunk's BatchNorms ordinary ones, or fixed ones as the authors'."""
    for layer in network.modules():
        if isinstance(layer, FixedBatchNorm):
            layer.live = live


def freeze_stem(trunk: AmrResNet) -> None:
    """The first convolution and its BatchNorm do not learn, in either stage of the authors'."""
    for part in (trunk.conv1, trunk.bn1):
        part.requires_grad_(False)
