"""Mosaics of four single objects, so that a transformer's patches encode what lies at their own place.

A transformer mixes all patches from its first block on. If it is trained on images of one object with one feature per
image, it may encode the object in any patch. This was observed: the class token soon chose the right object, but the
maximum of the patches' cosines lay on it no more often than by chance. In a mosaic each of the four tiles has its own
captions, and the mean of the tile's patches must distinguish them from its neighbours' captions. The training uses the
places of the tiles, but never the place of an object in its tile.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np

from tris_model.tiny_clip import Lesson, Pictures, ShownLesson, Thing, show

TILES = 2  # along a side


def show_tiled(
    objects: Pictures, scenes: Pictures, lesson: Lesson, sentences: int, draw: np.random.Generator
) -> ShownLesson:
    """Like :func:`tris_model.tiny_clip.lessons.show`, but with four single objects in each image.

    Args:
        objects: images of one object.
        scenes: images of several objects.
        lesson: its ``objects`` must be a multiple of four; a tile has half its ``side``.
        sentences: the number of sentences taken for every subject of a scene.
        draw: the random generator.

    Returns:
        Mosaics first, then scenes; ``things`` has four objects per mosaic, row by row, with their places in the mosaic.
    """
    parts = []
    if lesson.objects:
        tile = replace(lesson, scenes=0, side=lesson.side // TILES)
        parts.append(_mosaics(show(objects, scenes, tile, 0, draw)))
    if lesson.scenes:
        whole = show(objects, scenes, replace(lesson, objects=0), sentences, draw)
        parts.append(whole._replace(sentences=[(text, at + lesson.objects) for text, at in whole.sentences]))
    images, masks, things, all_sentences = zip(*parts, strict=True)
    return ShownLesson(np.concatenate(images), np.concatenate(masks), [*chain(*things)], [*chain(*all_sentences)])


def _mosaics(single: ShownLesson) -> ShownLesson:
    count, side = len(single.images) // TILES**2, single.images.shape[1]
    tiles = single.images.reshape(count, TILES, TILES, side, side, 3)
    images = tiles.transpose(0, 1, 3, 2, 4, 5).reshape(count, TILES * side, TILES * side, 3)
    things = [_moved(thing, at % TILES**2) for at, thing in enumerate(single.things)]
    return ShownLesson(images, np.ones(images.shape[:3], np.float32), things, [])


def _moved(thing: Thing, at: int) -> Thing:
    row, column = divmod(at, TILES)
    return replace(thing, x=(thing.x + column) / TILES, y=(thing.y + row) / TILES)
