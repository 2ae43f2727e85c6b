"""The batches of all steps.

A batch depends only on the seed and the step, so that runs can continue and ranks agree.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from risbench.datasets.shapes import exchange

from ..refs import Refs
from .ahead import Photographs
from .ranks import rank, world

AXES = ("left-right", "top-bottom")


@dataclass(frozen=True, slots=True)
class Batch:
    """This rank's part of a step.

    Attributes:
        refs: indices of the B refs.
        pending: their images, which threads are reading.
        texts: one sentence per ref.
        negatives: ``B x K`` texts.
        flips: whether each is mirrored left to right, and top to bottom.
    """

    refs: list[int]
    pending: list[Future[np.ndarray]]
    texts: list[str]
    negatives: list[list[str]]
    flips: list[tuple[bool, bool]]


class BatchOrder:
    """The batches of all steps.

    Attributes:
        an_epoch: steps per epoch. The last batch may be smaller, as in the authors' code; with several ranks it is
            filled up to divide evenly.
    """

    def __init__(self, refs: Refs, photographs: Photographs, batch: int, *, seed: int, negatives: int, mirror: bool):
        """Set up the order.

        Args:
            refs: the refs of a split.
            photographs: their images.
            batch: batch size of all ranks together.
            seed: decides all random choices.
            negatives: number of negatives per image.
            mirror: whether to mirror images and texts at random; only texts of drawn scenes can be mirrored.
        """
        self.an_epoch = max(1, -(-len(refs) // batch))
        self._refs = refs
        self._photographs = photographs
        self._batch = batch
        self._seed = seed
        self._negatives = negatives
        self._mirror = mirror
        self._epoch = -1
        self._order = np.zeros(0, np.int64)

    def start(self, step: int) -> Batch:
        """Start reading the images of a step, and draw its texts."""
        drawn = self.draw(step)
        return replace(drawn, pending=self._photographs.start([self._refs.refs[at].image for at in drawn.refs]))

    def draw(self, step: int) -> Batch:
        """The texts of a step, without its images."""
        epoch, place = divmod(step, self.an_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._refs.order(self._seed, epoch)
        chosen = self._order[place * self._batch : (place + 1) * self._batch]
        part = -(-len(chosen) // world())
        # Ranks need equal parts; missing refs are taken again from the front.
        mine = np.resize(chosen, part * world())[rank() * part : (rank() + 1) * part].tolist()
        texts, negatives, flips = [], [], []
        for at in mine:
            draw = np.random.default_rng((self._seed, epoch, at))
            own = self._refs.refs[at].texts
            text = own[draw.integers(len(own))]
            others = self._refs.negatives(at, text, self._negatives, draw)
            turned = (bool(draw.random() < 0.5), bool(draw.random() < 0.5)) if self._mirror else (False, False)
            texts.append(_turned(text, turned))
            negatives.append([_turned(other, turned) for other in others])
            flips.append(turned)
        return Batch(mine, [], texts, negatives, flips)

    def images(self, batch: Batch) -> np.ndarray:
        """The images of a batch, mirrored: uint8 ``(B, S, S, 3)``."""
        images = self._photographs.take(batch.pending)
        for at, (across, down) in enumerate(batch.flips):
            images[at] = images[at, :: -1 if down else 1, :: -1 if across else 1].copy()
        return images

    def turned(self, masks: Tensor, batch: Batch) -> Tensor:
        """Masks ``(B, S, S)``, mirrored like the images."""
        parts = [
            mask.flip([axis for axis, flipped in ((1, across), (0, down)) if flipped])
            for mask, (across, down) in zip(masks, batch.flips, strict=True)
        ]
        return torch.stack(parts)


def _turned(text: str, turned: tuple[bool, bool]) -> str:
    for axis, flipped in zip(AXES, turned, strict=True):
        text = exchange(text, axis) if flipped else text
    return text
