"""What AMR learns from: images, each with the classes that it shows. Nothing says where they are.

The labels of an image are the categories of all objects that its data set annotates in it; boxes, masks and expressions
are not looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from risbench import DataError, Split
from tris_model.train.loop import Ahead, rank, world

from .._words.class_lists import VOC
from .maps import normalised_pixels
from .network import class_names


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How an image is changed before it is shown.

    Attributes:
        long: its long side becomes a whole number drawn from this range, both ends included.
        crop: side of the square that is cut out of it, at random. A smaller image lies at a random place in the square,
            whose rest is 0, the mean colour.
        holes: squares of 0, at random places, their parts outside of the crop cut off.
        hole: side of a hole.
    """

    long: tuple[int, int]
    crop: int
    holes: int = 0
    hole: int = 128


def labelled_images(split: Split, classes: str) -> tuple[list[Path], np.ndarray]:
    """The images of a split that show at least one class, and what they show.

    Args:
        split: any.
        classes: see :func:`baselines.amr.network.class_names`.

    Returns:
        N paths and float32 ``(N, C)``, 1 for a class that is there.

    Raises:
        DataError: no image shows any.
    """
    places = {name: place for place, name in enumerate(class_names(classes))}
    paths, labels = [], []
    for samples in split.by_image():
        row = np.zeros(len(places), np.float32)
        for item in split.objects(samples[0].image_id):
            name = VOC.get(str(item.category)) if classes == "voc" else item.category
            if name in places:
                row[places[name]] = 1
        if row.any():
            paths.append(samples[0].image_path)
            labels.append(row)
    if not paths:
        raise DataError(f"{split.name} has no object of a class of {classes!r}; choose network.classes for it")
    return paths, np.stack(labels)


def augmented(image: np.ndarray, how: Augmentation, draw: np.random.Generator) -> np.ndarray:
    """An image as it is shown once.

    Args:
        image: uint8 ``(H, W, 3)``.
        how: the ranges.
        draw: decides the size, whether it is mirrored (one half), the place of the crop and of the holes.

    Returns:
        float32 ``(3, crop, crop)``, by ImageNet's mean and deviation.
    """
    height, width = image.shape[:2]
    scale = int(draw.integers(how.long[0], how.long[1] + 1)) / max(height, width)
    size = (max(1, int(np.round(width * scale))), max(1, int(np.round(height * scale))))
    if size != (width, height):
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    pixels = normalised_pixels(image)
    if draw.random() < 0.5:
        pixels = pixels[:, ::-1]
    shown = np.zeros((how.crop, how.crop, 3), np.float32)
    (to_y, from_y, rows), (to_x, from_x, columns) = (_place(side, how.crop, draw) for side in pixels.shape[:2])
    shown[to_y : to_y + rows, to_x : to_x + columns] = pixels[from_y : from_y + rows, from_x : from_x + columns]
    for _ in range(how.holes):
        y, x = (int(draw.integers(how.crop)) for _ in "yx")
        half = how.hole // 2
        shown[max(0, y - half) : y + half, max(0, x - half) : x + half] = 0
    return np.ascontiguousarray(shown.transpose(2, 0, 1))


def _place(side: int, crop: int, draw: np.random.Generator) -> tuple[int, int, int]:
    """Where a side of an image begins in the crop, where the crop begins in the image, and how much they share."""
    free = int(draw.integers(abs(side - crop) + 1))
    return (0, free, crop) if side > crop else (free, 0, side)


class ShownImages:
    """The batches of all steps: every epoch shows each image once, in an order of its own, the last few left out.

    Attributes:
        an_epoch: steps of an epoch.
    """

    def __init__(
        self,
        read: Callable[[int], np.ndarray],
        labels: np.ndarray,
        how: Augmentation,
        *,
        batch: int,
        seed: int,
    ):
        """Arrange images.

        Args:
            read: the image of a place, uint8 ``(H, W, 3)``; called in threads.
            labels: float32 ``(N, C)``.
            how: what is done to each.
            batch: of all ranks together.
            seed: decides everything, with the epoch and the image.

        Raises:
            DataError: fewer images than a batch.
        """
        if len(labels) < batch:
            raise DataError(f"{len(labels)} images with a class do not fill a batch of {batch}; give a smaller batch")
        self.an_epoch = len(labels) // batch
        self._read, self._labels, self._how = read, labels, how
        self._batch, self._seed = batch, seed
        self._order = lru_cache(2)(lambda epoch: np.random.default_rng((seed, epoch)).permutation(len(labels)))
        self._ahead = Ahead(self._shown, sys.maxsize)  # no image is shown twice alike, so none is kept

    def start(self, step: int) -> tuple[list[int], list[Future[np.ndarray]]]:
        """Begin to make this rank's images of a step."""
        part = self._batch // world()
        shown = range(step * self._batch + rank() * part, step * self._batch + (rank() + 1) * part)
        return [self._of(number)[1] for number in shown], self._ahead.start(shown)

    def take(self, begun: tuple[list[int], Sequence[Future[np.ndarray]]]) -> tuple[np.ndarray, np.ndarray]:
        """Images float32 ``(B, 3, crop, crop)`` and labels ``(B, C)``."""
        places, pending = begun
        return self._ahead.take(pending), self._labels[places]

    def _of(self, number: int) -> tuple[int, int]:
        """The epoch and the image of the number-th image that is shown."""
        epoch, place = divmod(number, self.an_epoch * self._batch)
        return epoch, int(self._order(epoch)[place])

    def _shown(self, number: int) -> np.ndarray:
        epoch, place = self._of(number)
        return augmented(self._read(place), self._how, np.random.default_rng((self._seed, epoch, place)))
