"""The frozen CLIP that WWbL learns from: text vectors, relevance maps, and what it finds in a masked image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from .._clip.prompting import OpenedClip, encode_texts, enlarged, spread
from .._clip.relevance import Relevance
from .loss import aligned
from .pixels import DEVIATION, MEAN

Pixels = Literal["network", "clip"]


class ClipTeacher:
    """A CLIP with a vision transformer; none of its weights learn.

    Attributes:
        side: of its square input in pixels.
    """

    def __init__(self, opened: OpenedClip, pixels: Pixels = "network"):
        """Wrap a CLIP.

        Args:
            opened: in eval mode.
            pixels: ``network``, as the authors have it: CLIP is given the network's own pixels, of mean and deviation
                0.5. ``clip``: they get the mean and deviation that CLIP was trained with.
        """
        self.side = opened.image_size
        self._opened = opened
        self._pixels = pixels
        self._relevance = Relevance(opened.clip.visual)
        for block in opened.clip.visual.blocks:  # the attention of training, whose backward is quicker on a CPU
            block.attn.train()

    def text(self, texts: Sequence[str]) -> Tensor:
        """Text vectors ``(N, D)`` of unit length.

        Nothing is kept from step to step: which texts are read together decides the last bits, and a training that goes
        on must read what one read that was never stopped.
        """
        distinct = list(dict.fromkeys(texts))
        with torch.no_grad():
            vectors = encode_texts(self._opened, distinct).float()
        return vectors[[distinct.index(text) for text in texts]]

    def input(self, images: Tensor) -> Tensor:
        """The network's images ``(B, 3, S, S)`` as CLIP gets them: ``(B, 3, side, side)``."""
        images = aligned(images, self.side)
        if self._pixels == "network":
            return images
        mean, deviation = (images.new_tensor(of)[:, None, None] for of in (self._opened.mean, self._opened.deviation))
        return (images * DEVIATION + MEAN - mean) / deviation

    def relevance(self, images: Tensor, text: Tensor) -> Tensor:
        """How relevant each pixel is for the image's text, without gradient.

        Args:
            images: as :meth:`input` gives them.
            text: ``(B, D)``, unit length.

        Returns:
            ``(B, 1, side, side)``, each spread over [0, 1]. Where nothing is more relevant than the rest the authors'
            is NaN, and ours is 0.
        """
        maps = self._relevance(images, text).detach().float()
        return spread(enlarged(maps, (self.side, self.side)))[:, None]

    def features(self, images: Tensor) -> Tensor:
        """``(B, 3, side, side)`` -> ``(B, D)``, not normalised; gradients pass to the images."""
        return self._opened.clip.encode_image(images)
