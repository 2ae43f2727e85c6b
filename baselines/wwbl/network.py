"""WWbL's network: a VGG16 trunk, a bottleneck, and a decoder through which one text picks what is to be shown.

Only the gate between the two sees the text: at every cell, the cosine of the image's feature with the text's CLIP
vector multiplies the feature. So an image is encoded once, however many texts ask about it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbench import DataError
from tris_model.ranges import Count

KIND = "wwbl"
AUTHORS_CLIP = "ViT-B/32"
AUTHORS_PROMPT = "image of {}"


@dataclass(frozen=True, slots=True)
class WWbLConfig:
    """The sizes of a network, and what it expects of its input; the default is the authors'.

    Attributes:
        widths: channels of the 3x3 convolutions of each stage; the image is halved between stages. The last number is
            also the length of a text's vector.
        up: channels of the first upward block.
        batchnorm: whether a BatchNorm follows each convolution of the trunk, which lets a trunk learn that starts from
            nothing. The authors' has none and starts from ImageNet.
        image_size: side of the square input at evaluation, in pixels. It is no part of the weights.
        clip: the CLIP whose text vectors the network was trained with.
        clip_sha256: that CLIP's file, where the file of weights names it.
        prompt: what stood round every text in training, ``{}`` being the text.
    """

    widths: tuple[tuple[Count, ...], ...] = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))
    up: Count = 512
    batchnorm: bool = False
    image_size: Count = 224
    clip: str = AUTHORS_CLIP
    clip_sha256: str = ""
    prompt: str = AUTHORS_PROMPT

    @property
    def text(self) -> int:
        """Length of a text's vector."""
        return self.widths[-1][-1]

    def to_json(self) -> str:
        """All fields as one line of JSON, as it stands in a safetensors header."""
        return json.dumps({"kind": KIND, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> WWbLConfig:
        """The config that :meth:`to_json` wrote.

        Raises:
            DataError: the text is not such a config.
        """
        try:
            values: Any = json.loads(text)
            if not isinstance(values, Mapping) or values.get("kind") != KIND:
                raise TypeError("it is of another network")
            values = {key: value for key, value in values.items() if key != "kind"}
            if unknown := sorted(set(values) - {field.name for field in fields(cls)}):
                raise TypeError(f"unknown field {', '.join(unknown)}")
            values["widths"] = tuple(tuple(int(width) for width in stage) for stage in values["widths"])
            if not values["widths"] or not all(values["widths"]):
                raise TypeError("a stage has no convolution")
            return cls(**values)
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"the config of a WWbL network cannot be read ({error})") from None


def trunk(widths: tuple[tuple[int, ...], ...], batchnorm: bool = False) -> nn.Sequential:
    """VGG: 3x3 convolutions with bias, a ReLU after each, and a maximum over 2x2 cells between stages.

    With VGG16's widths the modules bear the numbers 0 to 22 of torchvision's ``features``.
    """
    layers: list[nn.Module] = []
    before = 3
    for place, stage in enumerate(widths):
        if place:
            layers.append(nn.MaxPool2d(2))
        for width in stage:
            layers.append(nn.Conv2d(before, width, 3, padding=1))
            layers += [nn.BatchNorm2d(width), nn.ReLU()] if batchnorm else [nn.ReLU()]
            before = width
    return nn.Sequential(*layers)


class VggEncoder(nn.Module):
    """The trunk, under the authors' key ``E.Org_model``."""

    def __init__(self, config: WWbLConfig):
        super().__init__()
        self.Org_model = trunk(config.widths, config.batchnorm)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` -> ``(B, C, S / 8, S / 8)``, not negative."""
        return self.Org_model(images)


class DoubleConvolution(nn.Module):
    """A 3x3 convolution with bias, BatchNorm and ReLU, twice. The second pair of the last block is not computed."""

    def __init__(self, before: int, after: int, *, bare: bool = False):
        """Build it.

        Args:
            before, after: channels.
            bare: end with the second convolution. Its BatchNorm is in the authors' file all the same.
        """
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.BN1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.BN2 = nn.BatchNorm2d(after)
        self._bare = bare
        if bare:
            self.BN2.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, before, h, w)`` -> ``(B, after, h, w)``."""
        x = self.conv2(F.relu(self.BN1(self.conv1(x))))
        return x if self._bare else F.relu(self.BN2(x))


class GatedDecoder(nn.Module):
    """From an image's features and a text's vector to one map."""

    def __init__(self, width: int, up: int):
        super().__init__()
        self.bottleneck = DoubleConvolution(width, width)
        self.up0 = DoubleConvolution(width, up)
        self.up1 = DoubleConvolution(up, 1, bare=True)

    def forward(self, features: Tensor, text: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The map before the sigmoid, and the gate.

        Args:
            features: of the bottleneck, ``(N or 1, C, h, w)``.
            text: ``(N, C)``, unit length.
            size: of the map, ``(height, width)``.

        Returns:
            ``(N, 1, height, width)``, and ``(N, 1, h, w)`` as of :func:`gate`.
        """
        gates = gate(features, text)
        x = self.up0(doubled(features * gates))
        x = self.up1(doubled(x))
        return F.interpolate(x, size=size, mode="bilinear", align_corners=True), gates


def gate(features: Tensor, text: Tensor) -> Tensor:
    """The cosine of each cell's feature with a text: ``(N or 1, C, h, w)`` and ``(N, C)`` -> ``(N, 1, h, w)``.

    Nothing is added to the norm by which a feature is divided. A feature of zeros has no direction; the authors' map is
    NaN there, and all of the image's with it, and ours is 0.
    """
    length = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    unit = features / length.masked_fill(length == 0, 1)
    return (unit * text[:, :, None, None]).sum(1, keepdim=True)


def doubled(x: Tensor) -> Tensor:
    """``(B, C, h, w)`` -> ``(B, C, 2 h, 2 w)``, bilinear with half-pixel centres."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class WWbLNetwork(nn.Module):
    """The network under the authors' key names, so that their weights load without renaming.

    Attributes:
        config: its sizes.
    """

    def __init__(self, config: WWbLConfig | None = None):
        super().__init__()
        self.config = WWbLConfig() if config is None else config
        self.E = VggEncoder(self.config)
        self.D = GatedDecoder(self.config.text, self.config.up)

    def encode(self, images: Tensor) -> Tensor:
        """All that does not depend on the text: ``(B, 3, S, S)`` -> ``(B, C, S / 8, S / 8)``."""
        return self.D.bottleneck(self.E(images))

    def decode(self, features: Tensor, text: Tensor, size: tuple[int, int]) -> Tensor:
        """Maps of what :meth:`encode` gave, for the same number of texts, or of one image for all of them.

        Returns:
            ``(N, 1, *size)``, after the sigmoid.
        """
        return torch.sigmoid(self.D(features, text, size)[0])

    def attention(self, images: Tensor, text: Tensor) -> Tensor:
        """What of an image goes on to the decoder, in [-1, 1].

        Args:
            images: ``(B, 3, S, S)``, mean and deviation 0.5.
            text: ``(B, 512)``, CLIP's text features of unit length.

        Returns:
            ``(B, 1, S / 8, S / 8)``: the cosine of each cell's feature with the image's text.
        """
        return gate(self.encode(images), text)

    def forward(self, images: Tensor, text: Tensor, *, with_gate: bool = False) -> Any:
        """One map for each image and its text.

        Args:
            images: float32 ``(B, 3, S, S)``, mean and deviation 0.5; any S of at least 8 pixels.
            text: ``(B, 512)``, CLIP's text features of unit length; or ``(K * B, 512)``, each image's K in a row.

            with_gate: also return what :meth:`attention` gives, of the same pass.

        Returns:
            ``(B, 1, S, S)`` or ``(K * B, 1, S, S)``, after the sigmoid: in (0, 1).
        """
        height, width = images.shape[2:]
        features = self.encode(images).repeat_interleave(len(text) // len(images), 0)
        logits, gates = self.D(features, text, (height, width))
        maps = torch.sigmoid(logits)
        return (maps, gates) if with_gate else maps
