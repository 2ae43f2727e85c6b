"""Pairs of pictures of one object each, for the first steps of a small network of the drawn world.

Whoever starts with neither ImageNet nor a trained BERT cannot tell at first which of ten things in a blend of two
scenes a text is about. Where each picture has one object, its name says so. The losses are those of scenes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tris_model.tiny_clip import Thing, drawn_pictures
from tris_model.train.loop import rank, world

from .blending import alphas, kinds
from .pixels import normalised

SPOKEN_SIZES = ("small", "large")  # no sentence calls a thing medium
MENTIONED = 0.5  # the probability with which a name mentions an attribute


class StepPairs(NamedTuple):
    """What a step shows.

    Attributes:
        first, second: images float32 ``(B, 3, S, S)``.
        alphas: alpha, alpha1 and alpha2, ``(B, 1, S, S)`` each.
        texts: of the first images and of the second ones, each image's in a row.
    """

    first: Tensor
    second: Tensor
    alphas: tuple[Tensor, Tensor, Tensor]
    texts: tuple[list[str], list[str]]


class ObjectPairs:
    """The pairs of all steps, which depend on the seed and the step alone.

    Attributes:
        an_epoch: steps of an epoch.
    """

    def __init__(self, pictures: int, side: int, *, batch: int, texts: int, seed: int):
        """Draw the pictures.

        Args:
            pictures: how many.
            side: of each in pixels.
            batch: pairs in a step, of all ranks together.
            texts: names of each object in a step.
            seed: decides everything.
        """
        self._drawn = drawn_pictures("objects", pictures, 0, side)
        self.an_epoch = max(1, pictures // (2 * batch))
        self._batch, self._texts, self._seed = batch, texts, seed

    def start(self, step: int) -> int:
        """The step: the pictures are there already."""
        return step

    def take(self, step: int) -> StepPairs:
        """This rank's pairs of a step."""
        epoch, place = divmod(step, self.an_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._drawn.images))
        chosen = np.resize(order, 2 * self._batch * self.an_epoch)
        mine = chosen[2 * place * self._batch : 2 * (place + 1) * self._batch][rank() :: world()]
        count, side = len(mine) // 2, self._drawn.images.shape[1]
        masks = np.ones((count, side, side), bool)
        drawn = alphas(int(mine[0]), int(mine[count]), masks, counts=kinds(count, rank(), world()))
        draw = np.random.default_rng((self._seed, step, rank()))
        texts = [name_of(self._drawn.things[at][0], draw) for at in mine for _ in range(max(1, self._texts))]
        half = len(texts) // 2
        first, second = normalised(torch.from_numpy(self._drawn.images[mine])).chunk(2)
        return StepPairs(first, second, drawn, (texts[:half], texts[half:]))


def name_of(thing: Thing, draw: np.random.Generator) -> str:
    """A name of an object: its shape, and before it some of its size, pattern and colour."""
    spoken = [thing.size] if thing.size in SPOKEN_SIZES else []
    words = [word for word in (*spoken, thing.pattern, thing.colour) if draw.random() < MENTIONED]
    return " ".join([*(["the"] if draw.random() < MENTIONED else []), *words, thing.shape])
