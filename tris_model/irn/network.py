"""The network of IRN: edges and displacements from five depths of a frozen trunk.

The keys of its heads are those of the authors' ``res50_irn.pth``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbench.errors import DataError, UsageError

from ..files.architecture import compare
from ..files.checkpoint import read, write
from .trunks import Features, FiveDepths, fingerprint

STRIDE = 4
WIDTH = 64


class EdgeOutput(NamedTuple):
    """The network's output for B images: edge logits ``(B, 1, h, w)`` and displacements ``(B, 2, h, w)``."""

    edges: Tensor
    displacements: Tensor


def _branch(inside: int, outside: int, groups: int, scale: int = 1) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Conv2d(inside, outside, 1, bias=False), nn.GroupNorm(groups, outside)]
    if scale > 1:
        parts.append(nn.Upsample(scale_factor=scale, mode="bilinear", align_corners=False))
    return nn.Sequential(*parts, nn.ReLU())


class MeanShift(nn.Module):
    """Subtracts the mean displacement of the training set, so that a cell that points nowhere has displacement zero."""

    running_mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(2))

    def forward(self, displacements: Tensor) -> Tensor:
        """``(B, 2, h, w)`` -> the same shape; unchanged in training, because the mean is not known yet."""
        return displacements if self.training else displacements - self.running_mean[:, None, None]


class EdgeDisplacement(nn.Module):
    """Two heads of 1x1 convolutions. The trunk is never trained, and its BatchNorm is always in eval mode."""

    def __init__(self, trunk: FiveDepths, width: int = WIDTH):
        """Build the heads.

        Args:
            trunk: the image encoder, a module; see :mod:`~tris_model.irn.trunks`.
            width: channels of the finest displacement feature (64 in the paper), a multiple of 8; all other sizes
                follow from it.

        Raises:
            UsageError: the width or the trunk is not valid.
        """
        super().__init__()
        if width < 8 or width % 8:
            raise UsageError(f"the width of IRN's heads must be a multiple of 8, not {width}")
        if not isinstance(trunk, nn.Module) or tuple(trunk.strides[:2]) != (STRIDE, STRIDE):
            raise UsageError("the trunk of IRN must be a module whose first two features have stride 4")
        self.width = width
        self.trunk: Any = trunk.requires_grad_(False)
        self.multiple: int = trunk.multiple
        c1, c2, c3, c4, c5 = trunk.channels
        s2, s3, s4, s5 = trunk.strides[1:]
        half, double, full = width // 2, 2 * width, 4 * width
        # A group has at least two channels; with one, a map of one cell could not be normalised.
        groups = min(4, half // 2)
        self.fc_edge1 = _branch(c1, half, groups)
        self.fc_edge2 = _branch(c2, half, groups)
        self.fc_edge3 = _branch(c3, half, groups, s3 // s2)
        self.fc_edge4 = _branch(c4, half, groups, s4 // s2)
        self.fc_edge5 = _branch(c5, half, groups, s5 // s2)
        self.fc_edge6 = nn.Conv2d(5 * half, 1, 1)
        groups = min(16, full // 4)
        self.fc_dp1 = _branch(c1, width, min(8, width // 2))
        self.fc_dp2 = _branch(c2, double, groups)
        self.fc_dp3 = _branch(c3, full, groups)
        self.fc_dp4 = _branch(c4, full, groups, s4 // s3)
        self.fc_dp5 = _branch(c5, full, groups, s5 // s3)
        self.fc_dp6 = _branch(3 * full, full, groups, s3 // s2)
        self.fc_dp7 = _branch(width + double + full, full, groups).append(nn.Conv2d(full, 2, 1, bias=False))
        self.mean_shift = MeanShift()
        self.train(self.training)

    def train(self, mode: bool = True) -> EdgeDisplacement:
        """Set the mode of the heads; the trunk stays in eval mode."""
        super().train(mode)
        self.trunk.eval()
        return self

    def forward(self, images: Tensor) -> EdgeOutput:
        """Compute edges and displacements.

        Args:
            images: ``(B, 3, H, W)``, ImageNet's normalisation.

        Returns:
            Edge logits ``(B, 1, h, w)`` and displacements ``(B, 2, h, w)`` in cells (down, right), with
            h = ceil(H / 4), w = ceil(W / 4).
        """
        features = self.encode_image(images)
        return EdgeOutput(self.edges(features), self.displacements(features))

    @torch.no_grad()
    def encode_image(self, images: Tensor) -> Features:
        """The trunk's features; the first two have ceil(H / 4) x ceil(W / 4) cells."""
        height, width = images.shape[2:]
        features = self.trunk(F.pad(images, (0, -width % self.multiple, 0, -height % self.multiple)))
        size = (-(-height // STRIDE), -(-width // STRIDE))
        first, second, *rest = features
        # The padding is cut off the two fine features here, and off the coarse ones after they are resized.
        return (_cut(first, size).float(), _cut(second, size).float(), *(x.float() for x in rest))  # pyright: ignore

    def edges(self, features: Features) -> Tensor:
        """Edge logits ``(B, 1, h, w)``."""
        x1, x2, x3, x4, x5 = features
        size = (x2.shape[2], x2.shape[3])
        coarse = (_cut(self.fc_edge3(x3), size), _cut(self.fc_edge4(x4), size), _cut(self.fc_edge5(x5), size))
        return self.fc_edge6(torch.cat([self.fc_edge1(x1), self.fc_edge2(x2), *coarse], 1))

    def displacements(self, features: Features) -> Tensor:
        """Displacements ``(B, 2, h, w)``, in cells, (down, right)."""
        x1, x2, x3, x4, x5 = features
        middle = (x3.shape[2], x3.shape[3])
        third = [self.fc_dp3(x3), _cut(self.fc_dp4(x4), middle), _cut(self.fc_dp5(x5), middle)]
        up = _cut(self.fc_dp6(torch.cat(third, 1)), (x2.shape[2], x2.shape[3]))
        return self.mean_shift(self.fc_dp7(torch.cat([self.fc_dp1(x1), self.fc_dp2(x2), up], 1)))

    @torch.inference_mode()
    def analyse(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Edges and displacements of one image for the walk, in eval mode; edges also use the mirrored image.

        Args:
            image: ``(3, H, W)``.

        Returns:
            Edges ``(h, w)`` in [0, 1], and displacements ``(2, h, w)``.

        Raises:
            UsageError: the network is in training mode, in which the mean displacement is not subtracted.
        """
        if self.training:
            raise UsageError("IRN analyses images in eval mode; call .eval() first")
        features = self.encode_image(torch.stack([image, image.flip(-1)]))
        straight, mirrored = self.edges(features)[:, 0]
        one: Any = tuple(feature[:1] for feature in features)
        return torch.sigmoid((straight + mirrored.flip(-1)) / 2), self.displacements(one)[0]

    def heads(self) -> dict[str, Tensor]:
        """The state dict without the trunk."""
        return {key: value for key, value in self.state_dict().items() if not key.startswith("trunk.")}

    def fill(self, state: Mapping[str, Tensor], what: str) -> None:
        """Load a state of :meth:`heads`, strictly.

        Raises:
            DataError: keys or shapes differ; they are named.
        """
        compare({key: tuple(value.shape) for key, value in self.heads().items()}, state, what)
        # Copied into the existing tensors, because an optimiser may hold them.
        self.load_state_dict(state, strict=False)


def _cut(feature: Tensor, size: tuple[int, int]) -> Tensor:
    return feature[..., : size[0], : size[1]]


def save(network: EdgeDisplacement, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write the heads as safetensors, with width, trunk fingerprint and metadata; completely or not at all."""
    own = {"width": str(network.width), "trunk": fingerprint(network.trunk)}
    write(network.heads(), path, {**(metadata or {}), **own})


def load(path: Path, trunk: FiveDepths) -> EdgeDisplacement:
    """Load the network from a file of :func:`save`, in eval mode, with the trunk that it was trained on.

    Raises:
        DataError: the file is broken or missing, or was trained with another trunk.
    """
    held = read(path)
    if "width" not in held.metadata or "trunk" not in held.metadata:
        raise DataError(f"{path} is not an IRN network; train one, or give the file that a training wrote")
    network = EdgeDisplacement(trunk, int(held.metadata["width"]))
    if held.metadata["trunk"] != fingerprint(network.trunk):
        raise DataError(f"{path} was trained with a trunk of other weights; give that trunk, or train again")
    network.fill(held.state, f"{path} as IRN")
    return network.eval()
