"""The recipe of a training in the drawn world: two lessons, the questions of a batch, rates and temperature."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from risbench.errors import UsageError

from ..devices import Precision
from ..ranges import Count, Number, Positive, Rate, Seed, Share
from .lessons import Lesson


@dataclass(frozen=True, slots=True)
class Course:
    """The recipe for any two towers; a trainer's own record adds the network's sizes.

    Attributes:
        first, second: the two lessons.
        objects, scenes: number of images to draw.
        object_seed, scene_seed: seed of the first image, counted from ``FREE_SEEDS``.
        mixed: number of questions per batch about several attributes together, besides those about one.
        sentences: number of sentences used for every subject of a scene.
        sentence_weight: weight of the sentences' loss relative to the questions' contrastive losses.
        places, relations: see :func:`tris_model.tiny_clip.questions.mixed`.
        temperature_start, temperature_limit: factor of the cosines at the start, and its largest value.
        freeze_text_steps: number of first steps in which the text tower does not learn. At first the image tower cannot
            recognise words such as "dotted" or "top", and a learning text tower soon encodes all of them alike. Then no
            loss separates images by them: in a measurement both stayed at chance for 900 steps. A fixed tower keeps the
            words apart.
        text: the text tower's learning rate as a fraction of ``lr``.
        start: weights of trained towers to start from, instead of new ones.
        centred: initialise the biases before the joint space so that the mean image and the mean text are zero there.
            Otherwise both begin as two narrow cones (texts at a cosine of 0.9), and hundreds of steps are spent on
            widening them.
        precision: precision of the image tower.
    """

    RENAMED = MappingProxyType(
        {
            "told": "sentence_weight",
            "still": "freeze_text_steps",
            "warmth": "temperature_start",
            "warmest": "temperature_limit",
        }
    )
    first: Lesson
    second: Lesson
    objects: Count = 12000
    object_seed: Seed = 0
    scenes: Count = 3000
    scene_seed: Seed = 1_000_000
    mixed: Number = 3
    sentences: Number = 3
    sentence_weight: Rate = 4.0
    places: Share = 0.45
    relations: Share = 0.15
    lr: Rate = 2e-3
    text: Rate = 0.3
    weight_decay: Rate = 0.05
    clip: Rate = 5.0
    centred: bool = True
    precision: Precision = "auto"
    temperature_start: Positive = 1 / 0.07
    temperature_limit: Positive = 50.0
    freeze_text_steps: Number = 0
    start: str | None = None
    seed: Seed = 0


def check_lessons(course: Course, size: int, name: str) -> None:
    """Refuse lessons that cannot be trained.

    Raises:
        UsageError: there are no steps, or images have another size than the drawn ones.
    """
    if not course.first.steps + course.second.steps:
        raise UsageError(f"{name}.first.steps and {name}.second.steps are both 0, so nothing would be learned")
    for key, lesson in (("first", course.first), ("second", course.second)):
        if lesson.steps and (lesson.side > size or (lesson.scenes and lesson.side != size)):
            less = "" if lesson.scenes else ", or less"
            raise UsageError(f"{name}.{key}.side is {lesson.side}; give {size}, the size of the images{less}")
