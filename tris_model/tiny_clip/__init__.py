"""The tiny CLIP of the drawn world, and the code that trainers of other small networks share with it.

The names below are the public ones. Each is imported when it is first used. A trainer needs:

- ``teach``: the training loop; ``Course``: the recipe that a trainer's own recipe extends;
- ``Trainer``: the interface of a trainer; ``TowerTrainer``: a trainer of any two towers; ``StepInputs``: its input;
- ``show``, ``ask``, ``Pictures`` and ``Thing``: the pictures and the questions of a step;
- ``contrastive_loss``: the loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..doors import door

if TYPE_CHECKING:
    from .contract import StepInputs, Towers, Trainer
    from .contrast import contrastive_loss
    from .course import Course
    from .lessons import Lesson, ShownLesson, ask, show
    from .pictures import Pictures, drawn_pictures
    from .questions import Thing, alone, mixed
    from .towers import WARMUP, TowerTrainer
    from .trainer import centre_texts, teach, word_ids

__all__ = [
    "WARMUP",
    "Course",
    "Lesson",
    "Pictures",
    "ShownLesson",
    "StepInputs",
    "Thing",
    "TowerTrainer",
    "Towers",
    "Trainer",
    "alone",
    "ask",
    "centre_texts",
    "contrastive_loss",
    "drawn_pictures",
    "mixed",
    "show",
    "teach",
    "word_ids",
]

_HOMES = {
    "WARMUP": "towers",
    "Course": "course",
    "Lesson": "lessons",
    "Pictures": "pictures",
    "ShownLesson": "lessons",
    "StepInputs": "contract",
    "Thing": "questions",
    "TowerTrainer": "towers",
    "Towers": "contract",
    "Trainer": "contract",
    "alone": "questions",
    "ask": "lessons",
    "centre_texts": "trainer",
    "contrastive_loss": "contrast",
    "drawn_pictures": "pictures",
    "mixed": "questions",
    "show": "lessons",
    "teach": "trainer",
    "word_ids": "trainer",
}

__getattr__, __dir__ = door(__name__, _HOMES)
