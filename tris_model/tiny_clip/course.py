"""What decides a training in the drawn world: two lessons, the questions of a batch, the rates, the temperature."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from risbench.errors import UsageError

from ..devices import Precision
from ..ranges import Count, Number, Positive, Rate, Seed, Share
from .lessons import Lesson


@dataclass(frozen=True, slots=True)
class Course:
    """What a recipe of any two towers decides; a trainer's own record adds the network's sizes.

    Attributes:
        first, second: the two lessons.
        objects, scenes: pictures drawn.
        object_seed, scene_seed: of the first, counted from ``FREE_SEEDS``.
        mixed: questions about several things, besides those about one, that are asked of every batch.
        sentences: taken of every subject of a scene.
        sentence_weight: weight of the sentences' choice beside the questions' contrasts.
        places, relations: see :func:`tris_model.tiny_clip.questions.mixed`.
        temperature_start, temperature_limit: what cosines are multiplied by at the start, and at most.
        freeze_text_steps: the first steps, in which the text tower does not learn. Words that pictures cannot yet
            answer ("dotted", "top") only disturb the contrast. A text tower that learns at once soon encodes them all
            alike, and then nothing makes pictures differ in them: measured, both stayed at chance for 900 steps. A
            fixed tower keeps them apart.
        text: the text tower's rate as a part of ``lr``.
        start: trained towers to go on from, instead of new ones.
        centred: the biases before the joint space start so that the mean picture and the mean text are zero there.
            Else both begin as two narrow cones (texts at a cosine of 0.9), and the first hundreds of steps pass in
            widening them.
        precision: of the image tower.
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
    """Refuse lessons that cannot be shown.

    Raises:
        UsageError: no step at all, or pictures of another size than are drawn.
    """
    if not course.first.steps + course.second.steps:
        raise UsageError(f"{name}.first.steps and {name}.second.steps are both 0, so nothing would be learned")
    for key, lesson in (("first", course.first), ("second", course.second)):
        if lesson.steps and (lesson.side > size or (lesson.scenes and lesson.side != size)):
            less = "" if lesson.scenes else ", or less"
            raise UsageError(f"{name}.{key}.side is {lesson.side}; give {size}, the pictures' own{less}")
