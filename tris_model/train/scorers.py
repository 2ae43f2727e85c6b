"""The frozen scorer of the calibration and of PRMS; it caches the features of texts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbench.errors import UsageError

from ..clip.tokens import tokenize
from ..clip.towers import Clip
from ..files.clip_file import load_clip, read_clip
from ..files.clip_names import looks_like_resnet
from ..files.names import NAMES, find_clip, split_entry
from ..inference.prms import SIDE, ClipScorer, ImageTextScorer

M = TypeVar("M", bound=nn.Module)


class TowerScorer:
    """A CLIP with a ResNet tower as a scorer: the tiny one of the drawn world.

    Attributes:
        side: side of its input in pixels.
    """

    def __init__(self, clip: Clip, device: torch.device, keep_end: bool = False):
        self.side = clip.config.image_size
        self._clip = frozen(clip).to(device)
        self._device = device
        self._keep_end = keep_end

    def encode_image(self, images: Tensor) -> Tensor:
        """``(M, 3, side, side)`` -> ``(M, D)``."""
        return self._clip.encode_image(images)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """M texts -> ``(M, D)``."""
        tokens = tokenize(list(texts), self._keep_end, self._clip.config.text_length)
        return self._clip.encode_text(tokens.to(self._device))


class FrozenScorer:
    """A scorer that encodes every text once, without gradients; images are encoded with gradients.

    Attributes:
        side: side of its input in pixels.
    """

    def __init__(self, scorer: ImageTextScorer, cone: float = 0.0):
        """Wrap a scorer.

        Args:
            scorer: the frozen scorer.
            cone: the value of an additional coordinate that all images and texts share, besides their unit features.
                Cosines become ``(cosine + cone ** 2) / (1 + cone ** 2)``, in the same order. The calibration takes
                logarithms of cosines, so they must be positive. With OpenAI's CLIP they are, because its images and
                texts lie in two narrow cones. A tiny CLIP's cosines lie around zero; half of them are clamped and have
                no gradient.
        """
        self.side = int(getattr(scorer, "side", SIDE))
        self._scorer = scorer
        self._cone = cone
        self._rows: dict[str, int] = {}
        self._table: list[Tensor] = []

    def encode_image(self, images: Tensor) -> Tensor:
        """``(M, 3, side, side)`` -> ``(M, D)``, all of the same length; D is one larger with a cone."""
        return self._widened(self._scorer.encode_image(images))

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """M texts -> ``(M, D)``, all of the same length."""
        if new := sorted(set(texts) - self._rows.keys()):
            for text, row in zip(new, self._widened(self._scorer.encode_text(new)), strict=True):
                self._rows[text] = len(self._table)
                self._table.append(row)
        return torch.stack([self._table[self._rows[text]] for text in texts])

    def _widened(self, features: Tensor) -> Tensor:
        features = F.normalize(features.float(), dim=1)
        return F.pad(features, (0, 1), value=self._cone) if self._cone else features


def frozen(network: M) -> M:
    """Set eval mode, and freeze the parameters."""
    return network.eval().requires_grad_(False)


def scorer(
    path: str | os.PathLike[str], device: torch.device, keep_end: bool = False, cone: float = 0.0
) -> FrozenScorer:
    """Load a scorer: OpenAI's ViT-B/32, or a CLIP with a ResNet tower such as the tiny one.

    Raises:
        UsageError: there is no such file.
        DataError: the file holds no such CLIP.
    """
    if not split_entry(path)[0].exists() and str(path) not in NAMES:
        raise UsageError(f"there is no scorer file {path}; stage 1 needs OpenAI's ViT-B-32.pt, or a tiny CLIP")
    file = find_clip(path)
    if looks_like_resnet(read_clip(file).state.keys()):
        return FrozenScorer(TowerScorer(load_clip(file), device, keep_end), cone)
    made = ClipScorer(file, device, keep_end)
    frozen(made._clip)
    return FrozenScorer(made, cone)
