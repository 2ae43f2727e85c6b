"""Drawn pictures with captions, as arrays in the cache: what the tiny CLIP learns from.

All of them are drawn from free seeds, which belong to no split.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from risbench.datasets.places import cache_folder
from risbench.datasets.shapes import FREE_SEEDS, VERSION, draw_object, draw_scene

from .questions import Thing

# The mean of ImageNet, which becomes 0 and is what a masked picture shows where it is masked.
GREY = (124, 116, 104)
CHUNK = 50


class Pictures(NamedTuple):
    """N pictures.

    Attributes:
        images: uint8 ``(N, S, S, 3)``.
        said: for every picture of one object what it is and its box, for every scene its sentences.
    """

    images: np.ndarray
    said: list


def squash(image: np.ndarray, size: int) -> np.ndarray:
    """A picture at the network's size, as :func:`tris_model.pixels.preprocess` makes it."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def _object(seed: int, size: int) -> tuple[np.ndarray, list]:
    scene = draw_object(FREE_SEEDS + seed, ground=GREY if seed % 2 else None)
    thing = scene.objects[0]
    height, width = scene.image.shape[:2]
    x0, y0, x1, y1 = thing.box
    box = [x0 / width, y0 / height, x1 / width, y1 / height]
    return squash(scene.image, size), [thing.shape, thing.colour, thing.size, thing.pattern, *box]


def _scene(seed: int, size: int) -> tuple[np.ndarray, list]:
    scene = draw_scene(FREE_SEEDS + seed)
    sentences = [one.text for some in scene.expressions.values() for one in some]
    return squash(scene.image, size), [*scene.captions, *sentences]


def _some(kind: str, size: int, seeds: range) -> tuple[np.ndarray, list]:
    drawn = [(_object if kind == "objects" else _scene)(seed, size) for seed in seeds]
    return np.stack([image for image, _ in drawn]), [said for _, said in drawn]


def pictures(
    kind: str, count: int, first: int, size: int, told: Callable[[int, int], object] = lambda done, total: None
) -> Pictures:
    """Pictures of seeds ``FREE_SEEDS + first`` on, drawn once and then kept in the cache.

    Args:
        kind: ``objects`` (one in each, half of them on plain grey) or ``scenes``.
        count: how many.
        first: seed of the first.
        size: side in pixels.
        told: of pictures done and in all.
    """
    name = hashlib.sha256(f"{VERSION} {kind} {count} {first} {size}".encode()).hexdigest()[:12]
    path = cache_folder() / "tris_clip" / f"{kind}-{name}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as held:
            return Pictures(held["images"], json.loads(str(held["said"])))
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    images, said = [], []
    with ProcessPoolExecutor(2) as pool:
        for some, words in pool.map(partial(_some, kind, size), chunks):
            images.append(some)
            said.append(words)
            told(CHUNK * len(images), count)
    drawn = Pictures(np.concatenate(images), list(chain.from_iterable(said)))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(f"{path}.part.npz")
    np.savez(part, images=drawn.images, said=np.array(json.dumps(drawn.said)))
    part.replace(path)
    return drawn


def thing_of(said: list, x0: float = 0.0, y0: float = 0.0, side: float = 1.0) -> Thing:
    """The object of a picture as seen in a square window (corner and side as fractions of the picture)."""
    shape, colour, size, pattern, left, top, right, bottom = said
    return Thing(shape, colour, size, pattern, ((left + right) / 2 - x0) / side, ((top + bottom) / 2 - y0) / side)
