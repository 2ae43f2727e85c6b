"""Four pictures of one object side by side, so that a transformer's patches answer for what lies where they are.

A transformer mixes all patches from its first block on. Taught by pictures of one object and by one summary of each, it
may keep what it knows of the object in any patch, and does: its class token soon chose the right object, and the
maximum of its patches' cosines lay on it no more often than chance. Here every tile of four has captions of its own,
and the mean of the tile's patches must tell them from those of its neighbours. It is told where pictures were put;
where an object lies in its picture nobody says.
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
    """As :func:`tris_model.tiny_clip.lessons.show`, but for objects, which are shown four in a picture.

    Args:
        objects: pictures of one object.
        scenes: of several.
        lesson: ``objects`` is a multiple of four; tiles have half its ``side``.
        sentences: taken of every subject of a scene.
        draw: decides.

    Returns:
        Mosaics first, then scenes; ``things`` has four for each mosaic, row by row, with places in the mosaic.
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
