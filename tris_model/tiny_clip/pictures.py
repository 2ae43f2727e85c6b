"""Drawn images with captions, the tiny CLIP's training data, stored as arrays in the cache.

All of them are drawn from free seeds, which belong to no split.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from risbench.datasets.shapes import FREE_SEEDS, VERSION, Scene, draw_object, draw_scene
from risbench.io.atomic import write_whole
from risbench.io.places import cache_folder

from ..clip.pixels import squash
from ..processes import beginning
from .questions import Thing

# ImageNet's mean colour: it is 0 after normalisation, and masked pixels have it.
GREY = (124, 116, 104)
CHUNK = 50
FORM = 3  # of the files in the cache


class Pictures(NamedTuple):
    """N images.

    Attributes:
        images: uint8 ``(N, S, S, 3)``.
        things: the objects of every image.
        sentences: for every object of every image the sentences that are true of it alone; empty for images of single
            objects.
    """

    images: np.ndarray
    things: list[list[Thing]]
    sentences: list[list[list[str]]]


def _object(seed: int) -> Scene:
    return draw_object(FREE_SEEDS + seed, ground=GREY if seed % 2 else None)


def _scene(seed: int) -> Scene:
    return draw_scene(FREE_SEEDS + seed)


def _described(scene: Scene) -> tuple[list[list], list[list[str]]]:
    """The objects of a scene, each as the fields of a :class:`Thing`, and the sentences about each."""
    height, width = scene.image.shape[:2]
    things = []
    for thing in scene.objects:
        x0, y0, x1, y1 = thing.box
        across, down = (x0 / width, x1 / width), (y0 / height, y1 / height)
        things.append(
            [thing.shape, thing.colour, thing.size, thing.pattern, sum(across) / 2, sum(down) / 2, across, down]
        )
    descriptions = [[one.text for one in scene.expressions.get(depth, ())] for depth in range(len(things))]
    return things, descriptions


def _some(kind: str, size: int, seeds: range) -> tuple[np.ndarray, list]:
    drawn = [(_object if kind == "objects" else _scene)(seed) for seed in seeds]
    return np.stack([squash(scene.image, size) for scene in drawn]), [_described(scene) for scene in drawn]


def pictures(
    kind: str, count: int, first: int, size: int, on_progress: Callable[[int, int], object] = lambda done, total: None
) -> Pictures:
    """The images of consecutive seeds from ``FREE_SEEDS + first``, drawn once and then stored in the cache.

    Args:
        kind: ``objects`` (one object per image, half of them on plain grey) or ``scenes``.
        count: number of images.
        first: seed of the first image, counted from ``FREE_SEEDS``.
        size: side in pixels.
        on_progress: called with the number of finished images and of all images.
    """
    name = hashlib.sha256(f"{FORM} {VERSION} {kind} {count} {first} {size}".encode()).hexdigest()[:12]
    path = cache_folder() / "tris_clip" / f"{kind}-{name}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as held:
            return _read(held["images"], json.loads(str(held["said"])))
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    images, descriptions = [np.zeros((0, size, size, 3), np.uint8)], []
    with ProcessPoolExecutor(2, beginning()) as pool:
        for number, (some, words) in enumerate(pool.map(partial(_some, kind, size), chunks), start=1):
            images.append(some)
            descriptions += words
            on_progress(min(CHUNK * number, count), count)
    held = {"images": np.concatenate(images), "said": np.array(json.dumps(descriptions))}
    write_whole(path, lambda file: np.savez(file, **held))  # pyright: ignore[reportArgumentType]
    return _read(np.concatenate(images), descriptions)


drawn_pictures = pictures  # at the package's door, where `pictures` is this module


def _read(images: np.ndarray, descriptions: list) -> Pictures:
    things = [[Thing(*thing[:6], *map(tuple, thing[6:])) for thing in some] for some, _ in descriptions]
    return Pictures(images, things, [sentences for _, sentences in descriptions])
