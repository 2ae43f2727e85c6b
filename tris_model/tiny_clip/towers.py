"""The trainer of any network with two towers: images, questions and contrastive losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..clip.pixels import normalised
from ..clip.tokens import encode, pack
from ..devices import autocast
from .contract import StepInputs, Towers
from .contrast import choice_loss, contrastive_loss
from .course import Course
from .lessons import Lesson, ShownLesson, ask, show
from .pictures import Pictures
from .questions import alone, mixed

WARMUP = 50

T = TypeVar("T", bound=Towers)
Show = Callable[[Pictures, Pictures, Lesson, int, np.random.Generator], ShownLesson]


def _one_summary(network: Towers, images: Tensor, _shown: ShownLesson) -> list[Tensor]:
    return [network.encode_image(images)]


def _no_centre(_network: Towers, _images: Tensor, _tokens: Tensor) -> None:
    pass


@dataclass(frozen=True)
class TowerTrainer(Generic[T]):
    """A :class:`~tris_model.tiny_clip.contract.Trainer` of two towers.

    Attributes:
        name: see the contract, also for ``network``, ``course`` and ``warmup``.
        centre_towers: the function that :meth:`centre` calls with the network, images and tokens.
        show: makes the images of a step; see :func:`tris_model.tiny_clip.lessons.show`.
        summaries: computes the image features that are trained to match the texts, each ``(B, D)`` with a row for every
            shown subject. All of them have the same questions and the same weight.
    """

    name: str
    network: T
    course: Course
    centre_towers: Callable[[T, Tensor, Tensor], None] = _no_centre
    show: Show = show
    summaries: Callable[[T, Tensor, ShownLesson], Sequence[Tensor]] = _one_summary
    warmup: int = WARMUP

    def centre(self, images: Tensor, tokens: Tensor) -> None:
        """See the contract."""
        self.centre_towers(self.network, images, tokens)

    def losses(self, step: StepInputs) -> dict[str, Tensor]:
        """One forward of a batch of objects and scenes, and every contrast about them."""
        network, course, draw = self.network, self.course, step.draw
        temperature = network.logit_scale.exp().clamp(max=course.temperature_limit)

        # Images, and the captions of every question about them.
        shown = self.show(step.objects, step.scenes, step.lesson, course.sentences, draw)
        questions = [*alone(draw), *(mixed(draw, course.places, course.relations) for _ in range(course.mixed))]
        captions = [ask(question, shown.things, draw) for question in questions]

        # Features of the images.
        images = normalised(shown.images, step.device) * torch.from_numpy(shown.masks).to(step.device)[:, None]
        images = images.contiguous(memory_format=torch.channels_last)
        with autocast(course.precision, step.device):
            summaries = self.summaries(network, images, shown)

        # Features of the texts; each distinct text is encoded once.
        texts = [text for some, _ in captions for text in some] + [text for text, _ in shown.sentences]
        distinct, where = np.unique(np.array(texts, dtype=object), return_inverse=True)
        tokens = pack(encode(distinct.tolist()), length=network.config.text_length).to(step.device)
        with torch.set_grad_enabled(not step.freeze_text):
            text_features = F.normalize(network.encode_text(tokens), dim=1)[torch.from_numpy(where).to(step.device)]

        # The contrastive losses of every feature, averaged.
        terms = []
        for summary in summaries:
            features = F.normalize(summary.float(), dim=1)
            found = {"questions": _questions(features, text_features, captions, temperature)}
            if shown.sentences:
                sentence_features = text_features[len(texts) - len(shown.sentences) :]
                loss = _sentences(features, sentence_features, shown.sentences, step.lesson, temperature)
                found["sentences"] = course.sentence_weight * loss
            terms.append(found)
        return {key: torch.stack([some[key] for some in terms]).mean() for key in terms[0]}


def _questions(
    features: Tensor, texts: Tensor, captions: Sequence[tuple[list[str], np.ndarray]], temperature: Tensor
) -> Tensor:
    """The contrastive losses of images ``(B, D)`` with the captions of all questions, which are the first texts."""
    each, first = [], 0
    for some, true in captions:
        own = texts[first : first + len(some)]
        each.append(contrastive_loss(features, own, torch.from_numpy(true).to(features.device), temperature))
        first += len(some)
    return torch.stack(each).sum()


def _sentences(
    features: Tensor, texts: Tensor, sentences: Sequence[tuple[str, int]], lesson: Lesson, temperature: Tensor
) -> Tensor:
    """The loss of each sentence ``(M, D)`` choosing its own among the two views of its scene."""
    own = torch.tensor([at for _, at in sentences], device=features.device)
    other = lesson.objects + ((own - lesson.objects) ^ 1)
    return choice_loss(texts, features[own], features[other], temperature)
