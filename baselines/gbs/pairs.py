"""The pairs of every step: which two images are blended, by which alpha, and with which texts."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import Future
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from risbench import DataError, Split
from risbench.datasets.images import read_image
from risbench.datasets.shapes import exchange
from tris_model.train.loop import Ahead, Photographs, rank, world

from .blending import alphas, kinds
from .objects import StepPairs
from .pixels import normalised
from .recipe import GbsRecipe

SMALLEST_AREA = 0.7  # of an image, that a crop shows
GREY = 0.1  # the share of images that are shown grey
ATTEMPTS = 10


class ShownImage(NamedTuple):
    """How one image is shown in a step.

    Attributes:
        image: its place.
        texts: of it, mirrored as it is.
        turned: whether it is mirrored left to right, and top to bottom.
        seed: of what is drawn for its pixels.
    """

    image: int
    texts: tuple[str, ...]
    turned: tuple[bool, bool]
    seed: tuple[int, ...]


class PairedImages(NamedTuple):
    """This rank's part of a step.

    Attributes:
        images: all first ones, then all second ones.
        pixels: uint8 ``(S, S, 3)`` each, under way.
        alphas: float32 ``(3, B, 1, S, S)``, under way.
    """

    images: list[ShownImage]
    pixels: list[Future[np.ndarray]]
    alphas: list[Future[np.ndarray]]


class PairOrder:
    """The pairs of all steps, which depend on the seed and the step alone.

    Attributes:
        an_epoch: steps of an epoch; samples that do not fill a batch are left out, as the authors do.
    """

    def __init__(self, split: Split, recipe: GbsRecipe):
        """Arrange a split's images.

        Raises:
            DataError: fewer samples than a batch needs.
        """
        groups = list(split.by_image())
        self._texts = [[sample.text for sample in group] for group in groups]
        self._numbers = [_number(group[0].image_id) for group in groups]
        # A sample is an image and one of its texts, or an image whose texts are drawn.
        every = recipe.texts == 0
        self._samples = [
            (image, text if every else -1)
            for image, texts in enumerate(self._texts)
            for text in range(len(texts) if every else 1)
        ]
        self.an_epoch = len(self._samples) // (2 * recipe.batch)
        if not self.an_epoch:
            raise DataError(
                f"gbs.batch is {recipe.batch} pairs, but {split.name} has {len(self._samples)} samples; give a smaller "
                "one"
            )
        paths = [group[0].image_path for group in groups]
        self._recipe, self._paths = recipe, paths
        self._order = lru_cache(2)(
            lambda epoch: np.random.default_rng((recipe.seed, epoch)).permutation(len(self._samples))
        )
        self._photographs = Photographs(paths, recipe.side)
        self._cropped = Ahead(self._crop, sys.maxsize)  # no image is shown twice alike, so none is kept
        self._alphas = Ahead(self._alpha, sys.maxsize)
        self._begun: dict[int, ShownImage] = {}

    def start(self, step: int) -> PairedImages:
        """Begin to read the images of a step and to draw its alphas, in threads."""
        images = self.drawn(step)
        if self._recipe.shown == "mirrored":
            pixels = self._photographs.start([one.image for one in images])
        else:
            places = range(2 * step * len(images), 2 * step * len(images) + len(images))
            self._begun |= zip(places, images, strict=True)
            pixels = self._cropped.start(places)
        return PairedImages(images, pixels, self._alphas.start([step]))

    def drawn(self, step: int) -> list[ShownImage]:
        """This rank's images and texts of a step: all first ones, then all second ones."""
        recipe = self._recipe
        epoch, place = divmod(step, self.an_epoch)
        chosen = self._order(epoch)[2 * place * recipe.batch : 2 * (place + 1) * recipe.batch]
        return [self._one(epoch, int(at)) for at in chosen[rank() :: world()]]

    def _one(self, epoch: int, at: int) -> ShownImage:
        recipe = self._recipe
        image, chosen = self._samples[at]
        own = self._texts[image]
        draw = np.random.default_rng((recipe.seed, epoch, at))
        turned = (bool(draw.random() < 0.5), bool(draw.random() < 0.5 and recipe.shown == "mirrored"))
        if chosen < 0:
            texts = [own[place] for place in np.resize(draw.permutation(len(own)), recipe.texts).tolist()]
        else:
            texts = [own[chosen]]
        if recipe.shown == "mirrored":
            texts = [_exchanged(text, turned) for text in texts]
        texts = [with_words_dropped(text, recipe.drop_words, draw) for text in texts]
        return ShownImage(image, tuple(texts), turned, (recipe.seed, epoch, at, 1))

    def _crop(self, number: int) -> np.ndarray:
        shown = self._begun.pop(number)
        draw = np.random.default_rng(shown.seed)
        return cropped(read_image(self._paths[shown.image]), self._recipe.side, shown.turned[0], draw)

    def _alpha(self, step: int) -> np.ndarray:
        images = self.drawn(step)
        count, side = len(images) // 2, self._recipe.side
        first, second = (self._numbers[images[at].image] for at in (0, count))
        masks = np.ones((count, side, side), bool)
        return torch.stack(alphas(first, second, masks, counts=kinds(count, rank(), world()))).numpy()

    def take(self, data: PairedImages) -> StepPairs:
        """Wait for what was begun."""
        pixels = self._photographs.take(data.pixels)
        if self._recipe.shown == "mirrored":
            for at, one in enumerate(data.images):
                across, down = one.turned
                pixels[at] = pixels[at, :: -1 if down else 1, :: -1 if across else 1].copy()
        alpha, alpha1, alpha2 = torch.from_numpy(self._alphas.take(data.alphas)[0])
        half = len(data.images) // 2
        first, second = (
            [text for one in part for text in one.texts] for part in (data.images[:half], data.images[half:])
        )
        images = normalised(torch.from_numpy(pixels)).chunk(2)
        return StepPairs(images[0], images[1], (alpha, alpha1, alpha2), (first, second))


def with_words_dropped(text: str, rate: float, draw: np.random.Generator) -> str:
    """A text without some of its words, never without all."""
    words = text.split()
    if not rate or not words:
        return text
    while not (kept := draw.random(len(words)) >= rate).any() and rate < 1:
        continue
    return " ".join(word for word, stays in zip(words, kept, strict=True) if stays) or words[0]


def cropped(image: np.ndarray, side: int, turned: bool, draw: np.random.Generator) -> np.ndarray:
    """An image as the authors show it: a random square of it, perhaps mirrored, perhaps grey.

    Args:
        image: uint8 ``(H, W, 3)``, RGB.
        side: of the square in pixels.
        turned: mirror it left to right.
        draw: decides all else.

    Returns:
        uint8 ``(side, side, 3)``, RGB.
    """
    height, width = image.shape[:2]
    for _ in range(ATTEMPTS):
        edge = round(np.sqrt(height * width * draw.uniform(SMALLEST_AREA, 1)))
        if 0 < edge <= min(height, width):
            y, x = (int(draw.integers(long - edge + 1)) for long in (height, width))
            break
    else:  # the largest square, in the middle
        edge = min(height, width)
        y, x = (height - edge) // 2, (width - edge) // 2
    square = Image.fromarray(np.ascontiguousarray(image[y : y + edge, x : x + edge]))
    pixels = np.asarray(square.resize((side, side), Image.Resampling.BILINEAR))
    if turned:
        pixels = pixels[:, ::-1]
    if draw.random() < GREY:
        # Their images are blue, green, red when they are made grey, so that blue has the weight of red.
        grey = np.asarray(Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1])).convert("L"))
        pixels = np.repeat(grey[:, :, None], 3, 2)
    return np.ascontiguousarray(pixels)


def _exchanged(text: str, turned: Sequence[bool]) -> str:
    for axis, flipped in zip(("left-right", "top-bottom"), turned, strict=True):
        text = exchange(text, axis) if flipped else text
    return text


def _number(image_id: object) -> int:
    """The number of an image that seeds its alphas: its id, or the checksum of an id that is none."""
    text = str(image_id)
    return int(text) if text.isdecimal() else zlib.crc32(text.encode())
