"""Functions that all CLIP methods share: they prepare images and texts as the CLIP was trained, and return heats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from risbench import Prediction, UsageError
from tris_model import Clip, fuse_for_inference, tokenize
from tris_model.clip import DEVIATION as IMAGENET_DEVIATION
from tris_model.clip import MEAN as IMAGENET_MEAN

from .vit import VitClip, VitConfig

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


class OpenedClip(NamedTuple):
    """A CLIP that is ready for inference.

    Attributes:
        clip: in eval mode, on its device, float32.
        mean, deviation: normalisation of the pixels that it was trained on.
        card: its part of a method's card: ``weights`` (sha256 or tag), ``model``, ``activation``, ``extra_data``.
        parameter_count: number of parameters, before layers are fused.
        notes: what the user should know about how the weights were read, one sentence each.
    """

    clip: Clip | VitClip
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    card: Mapping[str, Any]
    parameter_count: int = 0
    notes: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether it is one of ours, trained on the drawn world. OpenAI's models have the whole vocabulary."""
        return self.clip.config.trimmed

    @property
    def image_size(self) -> int:
        """Side of the square input it was trained at, in pixels."""
        config = self.clip.config
        return config.image_size if isinstance(config, VitConfig) else config.pool_grid * config.stride

    @property
    def cell(self) -> int:
        """Side of a cell (or patch) in pixels of the input."""
        config = self.clip.config
        return config.patch if isinstance(config, VitConfig) else config.stride


def input_side(opened: OpenedClip, size: int | None) -> int:
    """The side of the square input in pixels: ``size``, or by default the side that the CLIP was trained at.

    Raises:
        UsageError: the size is not a multiple of a cell's side.
    """
    side = opened.image_size if size is None else size
    if side < opened.cell or side % opened.cell:
        raise UsageError(f"size={size}: give a multiple of {opened.cell}, the side of a cell in pixels")
    return side


def pixels_of(opened: OpenedClip, image: np.ndarray, height: int, width: int) -> Tensor:
    """Resize an image without keeping its aspect ratio, so that all of it is used (CLIP's own transform crops it).

    Args:
        opened: the CLIP. OpenAI's models use bicubic resizing and their own mean; ours use ImageNet's mean, as TRIS
            does.
        image: uint8 ``(H, W, 3)``.
        height, width: size of the input in pixels.

    Returns:
        float32 ``(1, 3, height, width)`` on the network's device.
    """
    drawn = opened.drawn
    filter_ = Image.Resampling.BILINEAR if drawn else Image.Resampling.BICUBIC
    mean, deviation = (IMAGENET_MEAN, IMAGENET_DEVIATION) if drawn else (opened.mean, opened.deviation)
    squashed = Image.fromarray(np.ascontiguousarray(image)).resize((width, height), filter_)
    pixels = torch.from_numpy(np.array(squashed)).permute(2, 0, 1).float().div_(255)
    pixels.sub_(torch.tensor(mean)[:, None, None]).div_(torch.tensor(deviation)[:, None, None])
    return pixels[None].to(device_of(opened))


def device_of(opened: OpenedClip) -> torch.device:
    """The device of the network."""
    return opened.clip.positional_embedding.device


def trunk_and_pool(clip: Clip | VitClip) -> tuple[Any, Any]:
    """A ResNet's trunk with fused layers, and its attention pool unchanged, so that it can be differentiated."""
    visual = clip.visual
    return fuse_for_inference(nn.Sequential(visual))[0], visual.attnpool


def encode_texts(opened: OpenedClip, texts: Sequence[str]) -> Tensor:
    """Features of texts in CLIP's joint space: ``(N, D)``, unit length.

    Long texts are cut as in CLIP, and the end-of-text is kept.
    """
    tokens = tokenize(list(texts), keep_end=True, length=opened.clip.config.context)
    return F.normalize(opened.clip.encode_text(tokens.to(device_of(opened))), dim=1)


def prompted(prompt: str, texts: Sequence[str]) -> list[str]:
    """Put each text into the prompt.

    Raises:
        UsageError: the prompt has no ``{}``.
    """
    if "{}" not in prompt:
        raise UsageError(f"prompt={prompt!r} has no {{}} for the expression")
    return [prompt.replace("{}", text) for text in texts]


def spread(maps: Tensor) -> Tensor:
    """Maps ``(N, h, w)``, each scaled linearly to [0, 1]; a constant map becomes 0."""
    low = maps.amin((1, 2), keepdim=True)
    return (maps - low) / (maps.amax((1, 2), keepdim=True) - low).clamp(min=1e-12)


def enlarged(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Maps ``(N, h, w)`` resized bilinearly with half-pixel centres."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def answers(maps: Tensor, side: int, size: tuple[int, int], threshold: float) -> list[Prediction]:
    """Predictions from the maps of the texts of one image.

    Args:
        maps: float ``(N, h, w)``, in any range.
        side: side of the heats in pixels.
        size: size of the image, ``(height, width)``.
        threshold: in [0, 1); the mask is where the heat, at the image's size, exceeds it.

    Returns:
        N predictions: heat float32 ``(side, side)`` in [0, 1], mask bool at ``size``.
    """
    heats = spread(enlarged(maps, (side, side)))
    masks = enlarged(heats, size) > threshold
    pairs = zip(masks.cpu().numpy(), heats.cpu().numpy(), strict=True)
    return [Prediction(mask=mask, heat=heat) for mask, heat in pairs]


def checked_threshold(threshold: float) -> float:
    """Check a threshold for heats in [0, 1], and return it.

    Raises:
        UsageError: the threshold is not in [0, 1).
    """
    if not 0 <= threshold < 1:
        raise UsageError(f"threshold={threshold:g}: give a number from 0 to below 1")
    return threshold
