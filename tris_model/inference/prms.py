"""Positive response map selection (PRMS): of the maps of one object's texts, keep the one with the highest CLIP score.

All texts of an object mean the same thing. So the map whose visible part fits **all** of them best is used for each of
them. This needs to know which texts are about the same object, which is more than image and text; the card says so in
``reads``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from risbench.errors import DataError, UsageError

from ..clip.tokens import LENGTH, tokenize
from ..files.clip_file import read_clip
from ..files.names import clip_advice, find_clip, split_entry

SIDE = 224


class ImageTextScorer(Protocol):
    """Anything that encodes images and texts into one space."""

    def encode_image(self, images: Tensor) -> Tensor:
        """``(M, 3, 224, 224)`` -> ``(M, D)``."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """M texts -> ``(M, D)``."""
        ...


def choose(scorer: ImageTextScorer, image: Tensor, heats: Tensor, texts: Sequence[str]) -> int:
    """The index of the first map with the largest summed similarity.

    Args:
        scorer: CLIP ViT-B/32 in the paper.
        image: ``(3, S, S)``, as the network's input: with ImageNet's normalisation, not CLIP's, as in the authors'
            code.
        heats: ReLU'd maps ``(M, S, S)``, neither normalised nor bounded.
        texts: the M texts of one object.

    Returns:
        The index, below M.
    """
    size = (SIDE, SIDE)
    masks = F.interpolate(heats[:, None], size=size, mode="bilinear", align_corners=True)
    pixels = F.interpolate(image[None], size=size, mode="bilinear", align_corners=True)
    image_features = F.normalize(scorer.encode_image(masks * pixels).float(), dim=1)  # (M, D)
    text_features = F.normalize(scorer.encode_text(texts).float(), dim=1)  # (M, D)
    return int((image_features @ text_features.T).sum(1).argmax())  # argmax: the first of equals


class ClipScorer:
    """CLIP ViT-B/32 from a local file, through open_clip."""

    def __init__(self, path: str | os.PathLike[str], device: torch.device, keep_end: bool = False):
        from open_clip.model import CLIP

        if not split_entry(path)[0].exists():
            advice = clip_advice("prms", "ViT-B-32", "--set scorer=FILE")
            raise UsageError(f"there is no scorer file {path}; {advice}")
        held = read_clip(find_clip(path))
        if "visual.class_embedding" not in held.state:
            raise DataError(f"{path} is not a CLIP ViT-B/32: it has no image transformer (visual.class_embedding)")
        if held.settings.quick_gelu is False:
            raise DataError(
                f"{path} was trained with the exact GELU ({held.settings.source}); prms needs OpenAI's ViT-B-32"
            )
        with torch.device("meta"):
            vision = {"image_size": SIDE, "layers": 12, "width": 768, "patch_size": 32}
            self._clip = CLIP(512, vision, {"context_length": 77}, quick_gelu=True)  # pyright: ignore[reportArgumentType]
        try:
            self._clip.load_state_dict(dict(held.state), strict=True, assign=True)
        except RuntimeError as error:
            raise DataError(f"{path} is not a CLIP ViT-B/32: {str(error).splitlines()[-1].strip()[:200]}") from None
        with torch.device("cpu"):  # the mask is no weight, so no file brings it
            self._clip.attn_mask = torch.full((LENGTH, LENGTH), float("-inf")).triu_(1)
        # The mask is causal: positions behind the texts would change nothing and cost four times as much.
        places = self._clip.get_parameter("positional_embedding")
        self._clip.positional_embedding = torch.nn.Parameter(places[:LENGTH])
        self._clip.eval().to(device)
        self._device = device
        self._keep_end = keep_end

    def encode_image(self, images: Tensor) -> Tensor:
        """``(M, 3, 224, 224)`` -> ``(M, 512)``."""
        return self._clip.encode_image(images)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """M texts -> ``(M, 512)``, cut at 20 tokens as for TRIS."""
        return self._clip.encode_text(tokenize(list(texts), self._keep_end).to(self._device))
