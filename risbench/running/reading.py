"""Read the images of a run in batches, a little ahead of the method."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ..datasets.images import read_image
from ..errors import DataError
from ..machine import processors
from ..records import Sample

Group = tuple[Sample, ...]
READERS = min(8, max(2, processors() - 1))
LARGE = 2**25  # pixels of a batch, 100 MB: with more it ends, so that a camera's photographs fit into memory, too
_AHEAD = 4  # images, where a batch has fewer


def batches_of(groups: Iterable[Group], at_once: int, *, first: int, most: int | None) -> Iterator[list[Group]]:
    """Divide images into batches.

    Args:
        groups: the samples of each image.
        at_once: the number of images in a batch.
        first: the number in the first batch; each of the next ones has twice as many, until there are ``at_once``.
        most: pixels of a batch of several images; None for any number.
    """
    size, batch, pixels = first, list[Group](), 0
    for group in groups:
        height, width = group[0].size
        if batch and (len(batch) == size or (most is not None and pixels + height * width > most)):
            yield batch
            size, batch, pixels = min(at_once, 2 * size), [], 0
        batch.append(group)
        pixels += height * width
    if batch:
        yield batch


def read_ahead(
    batches: Iterator[list[Group]], readers: ThreadPoolExecutor, skip_bad: bool
) -> Iterator[list[tuple[Group, np.ndarray | None]]]:
    """Batches of images with their samples, while the next ones are read.

    Args:
        batches: from :func:`batches_of`.
        readers: the threads that read.
        skip_bad: give None for an image that cannot be read.

    Raises:
        DataError: an image cannot be read; the images before it come first.
    """
    waiting: deque[list[tuple[Group, Future[np.ndarray | None]]]] = deque()
    while True:
        while (len(waiting) < 2 or sum(map(len, waiting)) < _AHEAD) and (batch := next(batches, None)) is not None:
            waiting.append([(group, readers.submit(_read, group[0], skip_bad)) for group in batch])
        if not waiting:
            return
        images: list[tuple[Group, np.ndarray | None]] = []
        try:
            for group, image in waiting.popleft():
                images.append((group, image.result()))
        except DataError:
            if images:
                yield images
            raise
        yield images


def _read(sample: Sample, skip_bad: bool) -> np.ndarray | None:
    try:
        return read_image(sample.image_path, sample.size)
    except DataError as error:
        if skip_bad:
            return None
        raise DataError(f"{sample.id}: {error} (--skip-bad records such samples as missing)") from None
