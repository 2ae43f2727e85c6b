"""AMR networks with drawn weights in the authors' layout, and an own computation of what they give.

The computation reads the authors' names one by one and calls torch's functions, no module of ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

PLANES, DEPTH = (8, 8, 16, 32), (2, 1, 1, 2)
FULL_PLANES, FULL_DEPTH = (64, 128, 256, 512), (3, 4, 6, 3)


def trunk(
    name: str, draw: torch.Generator, *, stem: int, planes: tuple[int, ...], depth: tuple[int, ...], modulated: bool
) -> dict[str, Tensor]:
    """A ResNet's tensors by torchvision's names below ``name``; with those of attention modulation, if wanted."""
    found: dict[str, Tensor] = {}

    def conv(key: str, out: int, into: int, side: int) -> None:
        found[f"{key}.weight"] = torch.randn(out, into, side, side, generator=draw) * (2 / (into * side**2)) ** 0.5

    def norm(key: str, count: int, scale: float = 1.0) -> None:
        found[f"{key}.weight"] = scale * (0.5 + torch.rand(count, generator=draw))
        found[f"{key}.bias"] = 0.1 * torch.randn(count, generator=draw)
        found[f"{key}.running_mean"] = 0.1 * torch.randn(count, generator=draw)
        found[f"{key}.running_var"] = 0.5 + torch.rand(count, generator=draw)
        found[f"{key}.num_batches_tracked"] = torch.tensor(7)

    conv(f"{name}.conv1", stem, 3, 7)
    norm(f"{name}.bn1", stem)
    into = stem
    for layer, (width, count) in enumerate(zip(planes, depth, strict=True), start=1):
        for block in range(count):
            key, out = f"{name}.layer{layer}.{block}", 4 * width
            for place, (a, b, side) in enumerate(((width, into, 1), (width, width, 3), (out, width, 1)), start=1):
                conv(f"{key}.conv{place}", a, b, side)
                norm(f"{key}.bn{place}", a, 0.5 if place == 3 else 1.0)
            if block == 0:
                conv(f"{key}.downsample.0", out, into, 1)
                norm(f"{key}.downsample.1", out, 0.7)
            if modulated:
                inner = out // 16
                gate = f"{key}.amm.ChannelAMM.mlp"
                for place, (a, b) in ((1, (inner, out)), (3, (out, inner))):
                    found[f"{gate}.{place}.weight"] = torch.randn(a, b, generator=draw) * b**-0.5
                    found[f"{gate}.{place}.bias"] = torch.randn(a, generator=draw)
                found[f"{key}.amm.SpatialAMM.spatial.conv.weight"] = torch.randn(1, 2, 7, 7, generator=draw) * 0.1
                norm(f"{key}.amm.SpatialAMM.spatial.bn", 1)
            into = out
    return found


def tripled(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All names of the authors' file, written down from its layout: the same tensors under three names."""
    whole = dict(state)
    for key, value in state.items():
        top, _, rest = key.partition(".")
        if top.startswith("classifier"):
            whole[f"newly_added.{1 if top == 'classifier2' else 0}.weight"] = value
            continue
        stage, backbone = ("stage2_{}", "backbone2.{}") if top == "resnet50_2" else ("stage{}", "backbone.{}")
        part, _, inner = rest.partition(".")
        number = int(part[5]) if part.startswith("layer") else 1
        place = {"conv1": 0, "bn1": 1, "layer1": 4}.get(part, 0)
        whole[f"{stage.format(number)}.{place}.{inner}"] = value
        whole[f"{backbone.format(number - 1)}.{place}.{inner}"] = value
    return whole


def amr_state(
    *,
    stem: int = 16,
    planes: tuple[int, ...] = PLANES,
    depth: tuple[int, ...] = DEPTH,
    classes: int = 20,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Both branches, each tensor once."""
    draw = torch.Generator().manual_seed(seed)
    sizes = {"stem": stem, "planes": planes, "depth": depth}
    found = {
        **trunk("resnet50", draw, **sizes, modulated=False),  # pyright: ignore[reportArgumentType]
        **trunk("resnet50_2", draw, **sizes, modulated=True),  # pyright: ignore[reportArgumentType]
    }
    for name in ("classifier", "classifier2"):
        found[f"{name}.weight"] = torch.randn(classes, 4 * planes[3], 1, 1, generator=draw) * (4 * planes[3]) ** -0.5
    return found


def made_up_amr(path: Path) -> Path:
    """A file of the published size in the authors' layout (49.6 million weights), drawn."""
    torch.save(tripled(amr_state(stem=64, planes=FULL_PLANES, depth=FULL_DEPTH)), path)
    return path


def density(values: Tensor) -> Tensor:
    """A Gaussian density by the mean and the unbiased deviation of all values, which are constants."""
    flat = values.detach().flatten()
    mean = flat.sum() / len(flat)
    variance = ((flat - mean) ** 2).sum() / (len(flat) - 1)
    return (-((values - mean) ** 2) / (2 * variance)).exp() / (2 * math.pi * variance).sqrt()


def features(
    state: Mapping[str, Tensor], name: str, images: Tensor, *, stored: bool = False, cut: bool = False
) -> Tensor:
    """What a trunk computes, with torch's functions alone.

    Args:
        state: tensors by name.
        name: ``resnet50`` or ``resnet50_2``.
        images: ``(B, 3, H, W)``.
        stored: the spatial gates normalise with stored statistics.
        cut: no gradient through the stem and layer 1.
    """

    def norm(key: str, x: Tensor) -> Tensor:
        mean, variance, weight, bias = (
            state[f"{key}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def gates(key: str, y: Tensor) -> Tensor:
        mlp, spatial = f"{key}.ChannelAMM.mlp", f"{key}.SpatialAMM.spatial"
        values = y.flatten(2).mean(2) @ state[f"{mlp}.1.weight"].T + state[f"{mlp}.1.bias"]
        values = values.clamp(min=0) @ state[f"{mlp}.3.weight"].T + state[f"{mlp}.3.bias"]
        y = y * density(values)[:, :, None, None]
        pooled = torch.stack([y.max(1).values, y.mean(1)], 1)
        found = F.conv2d(pooled, state[f"{spatial}.conv.weight"], padding=3)
        if stored:
            found = norm(f"{spatial}.bn", found)
        else:
            centred = found - found.mean()
            found = centred / ((centred**2).mean() + 1e-5).sqrt()
            found = found * state[f"{spatial}.bn.weight"] + state[f"{spatial}.bn.bias"]
        return y * density(found)

    x = F.conv2d(images, state[f"{name}.conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(norm(f"{name}.bn1", x).clamp(min=0), 3, 2, 1)
    for layer, stride in enumerate((1, 2, 2, 1), start=1):
        block = 0
        while f"{name}.layer{layer}.{block}.conv1.weight" in state:
            key, step = f"{name}.layer{layer}.{block}", stride if block == 0 else 1
            y = norm(f"{key}.bn1", F.conv2d(x, state[f"{key}.conv1.weight"])).clamp(min=0)
            y = norm(f"{key}.bn2", F.conv2d(y, state[f"{key}.conv2.weight"], stride=step, padding=1)).clamp(min=0)
            y = norm(f"{key}.bn3", F.conv2d(y, state[f"{key}.conv3.weight"]))
            if f"{key}.downsample.0.weight" in state:
                x = norm(f"{key}.downsample.1", F.conv2d(x, state[f"{key}.downsample.0.weight"], stride=step))
            if f"{key}.amm.SpatialAMM.spatial.conv.weight" in state:
                y = gates(f"{key}.amm", y)
            x = (x + y).clamp(min=0)
            block += 1
        if cut and layer == 1:
            x = x.detach()
    return x


def class_maps(state: Mapping[str, Tensor], images: Tensor, *, stored: bool = False) -> tuple[Tensor, Tensor]:
    """The raw class maps of both branches."""
    first, second = (
        F.conv2d(features(state, trunk, images, stored=stored), state[f"{head}.weight"])
        for trunk, head in (("resnet50", "classifier"), ("resnet50_2", "classifier2"))
    )
    return first, second


def msm(logits: Tensor, labels: Tensor) -> Tensor:
    """The multi-label soft margin loss, written out."""
    each = labels * (-logits).exp().log1p() + (1 - labels) * logits.exp().log1p()
    return each.mean()
