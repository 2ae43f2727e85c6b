"""The images of a training step of the tiny CLIP; each has one subject.

A subject is alone in its image, or in focus: the rest of the scene is faded to grey. TRIS gives its scorer scenes under
a soft mask, and a tiny CLIP that was not trained on such images cannot choose among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from risbench.datasets.shapes import exchange

from ..ranges import Count, Number
from ..train.loop.order import AXES
from .pictures import Pictures
from .questions import Question, Thing

MOST = 40  # captions of one question; reading more costs more than seeing the pictures


@dataclass(frozen=True, slots=True)
class Lesson:
    """One part of the curriculum.

    Attributes:
        steps: number of optimiser steps.
        objects: number of single-object images per batch.
        scenes: number of scenes per batch; each is shown twice, with different subjects in focus.
        side: side of the images in pixels; objects are cropped to this size, scenes need the whole image.
    """

    steps: Number = 400
    objects: Number = 128
    scenes: Number = 0
    side: Count = 80

    def __post_init__(self) -> None:
        if self.steps and not self.objects + self.scenes:
            raise ValueError("objects and scenes are both 0, so a batch has no images")


class ShownLesson(NamedTuple):
    """The B images of a step.

    Attributes:
        images: uint8 ``(B, S, S, 3)``; scenes come last, their two views one after the other.
        masks: float32 ``(B, S, S)`` in [0, 1], 1 where the image is not faded.
        things: the subject of each image.
        sentences: sentences about subjects in focus, each with the index of its image; the scene's other view is the
            negative.
    """

    images: np.ndarray
    masks: np.ndarray
    things: list[Thing]
    sentences: list[tuple[str, int]]


def show(objects: Pictures, scenes: Pictures, lesson: Lesson, sentences: int, draw: np.random.Generator) -> ShownLesson:
    """Make the images of a step.

    Args:
        objects: images of one object.
        scenes: images of several objects.
        lesson: the number of each kind.
        sentences: number of sentences used for every subject.
        draw: the random generator.
    """
    side = lesson.side
    images, masks, things, shown_sentences = [], [], [], []
    for at in draw.integers(len(objects.images), size=lesson.objects).tolist():
        image, thing = _window(objects.images[at], objects.things[at][0], side, draw)
        if draw.random() < 0.5:
            image, thing = image[:, ::-1], _mirrored(thing, AXES[0])
        images.append(image)
        masks.append(np.ones((side, side), np.float32))
        things.append(thing)
    for at in draw.integers(max(1, len(scenes.images)), size=lesson.scenes).tolist():
        flips = [axis for axis in AXES if draw.random() < 0.5]
        image = scenes.images[at]
        for axis in flips:
            image = image[:, ::-1] if axis == AXES[0] else image[::-1]
        for subject in _two(scenes, at, draw):
            thing = scenes.things[at][subject]
            for axis in flips:
                thing = _mirrored(thing, axis)
            texts = scenes.sentences[at][subject]
            for one in draw.permutation(len(texts))[:sentences].tolist():
                text = texts[one]
                for axis in flips:
                    text = exchange(text, axis)
                shown_sentences.append((text, len(images)))
            images.append(image)
            masks.append(_focus(thing, side, draw))
            things.append(thing)
    return ShownLesson(np.stack(images), np.stack(masks), things, shown_sentences)


def _two(scenes: Pictures, at: int, draw: np.random.Generator) -> list[int]:
    """Choose two objects of a scene, often of the same shape; the first has sentences."""
    things, sentences = scenes.things[at], scenes.sentences[at]
    order = draw.permutation(len(things)).tolist()
    first = next(one for one in order if sentences[one])
    rest = sorted((one for one in order if one != first), key=lambda one: things[one].shape != things[first].shape)
    return [first, rest[0] if draw.random() < 0.6 else rest[draw.integers(len(rest))]]


def _focus(thing: Thing, side: int, draw: np.random.Generator) -> np.ndarray:
    """A soft mask that shows a subject more clearly than anything else: float32 ``(side, side)``."""
    at = (np.arange(side, dtype=np.float32) + 0.5) / side
    high = draw.uniform(0.5, 1.0)
    low = high * draw.uniform(0.0, 0.8) * (draw.random() < 0.7)
    spread = draw.uniform(0.5, 1.3)
    axes = []
    for middle, (begin, end) in ((thing.x, thing.across), (thing.y, thing.down)):
        reach = max(0.04, spread * (end - begin) / 2)
        axes.append(np.abs(at - middle - draw.normal(0, 0.2) * reach) / reach)
    blob = np.exp(-(axes[1][:, None] ** 4 + axes[0][None] ** 4) / 2)  # flat inside, soft at the edge
    return (low + (high - low) * blob).astype(np.float32)


def ask(question: Question, things: Sequence[Thing], draw: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """The captions of a question for some images, and the images of which each caption is true.

    Args:
        question: the question, the same for all images.
        things: the subject of every image.
        draw: the random generator that chooses captions if there are too many.

    Returns:
        U captions, at most :data:`MOST`, and bool ``(B, U)``.
    """
    answers = [question.answer(thing) for thing in things]
    distinct = sorted({text for text in answers if text is not None})
    kept = [distinct[at] for at in draw.permutation(len(distinct))[:MOST].tolist()]
    true = [[text == answer for text in kept] for answer in answers]
    return kept, np.array(true, bool).reshape(len(things), len(kept))


def _mirrored(thing: Thing, axis: str) -> Thing:
    if axis == AXES[0]:
        return replace(thing, x=1 - thing.x, across=(1 - thing.across[1], 1 - thing.across[0]))
    return replace(thing, y=1 - thing.y, down=(1 - thing.down[1], 1 - thing.down[0]))


def _window(image: np.ndarray, thing: Thing, side: int, draw: np.random.Generator) -> tuple[np.ndarray, Thing]:
    """A square crop of an image around its object, and the object's place in the crop."""
    full = image.shape[0]
    if side == full:
        return image, thing
    x, y = (_corner(draw, *reach, side, full) for reach in (thing.across, thing.down))
    moved = replace(thing, x=(thing.x * full - x) / side, y=(thing.y * full - y) / side)
    return image[y : y + side, x : x + side], moved


def _corner(draw: np.random.Generator, low: float, high: float, side: int, full: int) -> int:
    """The start of a window that contains the range between two fractions of the image."""
    first, last = max(0, int(np.ceil(high * full)) - side), min(full - side, int(low * full))
    return int(draw.integers(first, last + 1)) if first <= last else max(0, min(full - side, last))
