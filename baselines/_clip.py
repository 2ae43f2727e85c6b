"""What methods share that ask a CLIP as it is: the network from a file, images and texts as it was trained on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from risbench import UsageError
from tris_model import Clip, clip_advice, preprocess, tokenize

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def named(method: str, weights: str | None, split: str | None) -> str:
    """The weights that are meant: those given, or the shipped tiny CLIP on drawn scenes.

    Raises:
        UsageError: none were given and the split is no drawn one; one line names the file to get.
    """
    if weights is None and (split is None or not split.startswith("shapes_")):
        raise UsageError(clip_advice(method))
    return weights or "shapes"


def is_tiny(clip: Clip) -> bool:
    """Is it one of ours, of the drawn world? OpenAI's know all of their vocabulary."""
    return clip.config.trimmed


def pixels_of(clip: Clip, image: np.ndarray, size: int) -> Tensor:
    """An image as input: squashed to a square, so that all of it is seen (CLIP's own transform cuts the long side).

    Args:
        clip: OpenAI's were trained on bicubic pixels with a mean of their own, ours like TRIS on ImageNet's.
        image: uint8 ``(H, W, 3)``.
        size: side of the square.

    Returns:
        float32 ``(3, size, size)`` on the CPU.
    """
    if is_tiny(clip):
        return preprocess(image, size)
    squashed = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(squashed)).permute(2, 0, 1).float() / 255
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (MEAN, DEVIATION))
    return (pixels - mean) / deviation


def read(clip: Clip, texts: Sequence[str], device: torch.device) -> Tensor:
    """Texts in CLIP's joint space: ``(N, D)``, unit length. Long ones are cut as CLIP does, their end kept."""
    tokens = tokenize(list(texts), keep_end=True, length=clip.config.context)
    return F.normalize(clip.sum_up(tokens.to(device)), dim=1)


def spread(maps: Tensor) -> Tensor:
    """Maps ``(N, h, w)``, each spread over [0, 1]; an even map is 0."""
    low = maps.amin((1, 2), keepdim=True)
    return (maps - low) / (maps.amax((1, 2), keepdim=True) - low).clamp(min=1e-12)


def enlarged(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Maps ``(N, h, w)`` at another size, bilinear with half-pixel centres."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
