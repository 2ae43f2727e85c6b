"""The loop in which two towers learn the drawn world: lessons, questions, contrasts.

It serves every small network of the drawn world that has an image and a text tower: TRIS's tiny CLIP (``clip``) and
those of its rivals, whose trainers bring a recipe, a start, and how the start is centred. Two lessons: windows round
single objects, then scenes with one subject in focus (see ``lessons``). Both are asked questions about their subjects
(shape, colour, pattern, size, place; see ``questions``), and a sentence about a subject must find it among the two
views of its scene.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import cos, pi
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbench.errors import UsageError

from ..clip.pixels import normalised
from ..clip.tokens import encode, pack
from ..clip.towers import TextTower
from ..devices import Precision, autocast, computing, elapsed
from ..files.checkpoint import write
from ..ranges import Count, Number, Positive, Rate, Seed, Share
from ..train.inputs import check_folder
from ..train.loop.finished import settle
from ..train.loop.finite import check_loss, check_weights, clipped
from ..train.loop.journal import Journal, Stopped, bar, forget_peak, interruptible, memory
from .contrast import choice_loss, contrastive_loss
from .lessons import MOST, Lesson, ShownLesson, ask, show
from .pictures import Pictures, pictures
from .questions import all_words, alone, mixed

WARMUP = 50
SAMPLE = 256  # pictures whose mean is taken


@dataclass(frozen=True, slots=True)
class Course:
    """What a recipe of any two towers decides; a trainer's own record adds the network's sizes.

    Attributes:
        first, second: the two lessons.
        objects, scenes: pictures drawn.
        object_seed, scene_seed: of the first, counted from ``FREE_SEEDS``.
        mixed: questions about several things, besides those about one, that are asked of every batch.
        sentences: taken of every subject of a scene.
        told: weight of the sentences' choice beside the questions' contrasts.
        places, relations: see :func:`tris_model.tiny_clip.questions.mixed`.
        warmth, warmest: the temperature at the start, and at most.
        still: steps in which the text tower does not learn. Words that pictures cannot yet answer ("dotted", "top")
            only disturb the contrast, so a learning text tower soon reads them all alike, and then nothing tells
            pictures to tell them apart: measured, both stayed at chance for 900 steps. A fixed tower keeps them apart.
        text: the text tower's rate as a part of ``lr``.
        start: trained towers to go on from, instead of new ones.
        centred: the biases before the joint space start so that the mean picture and the mean text are zero there.
            Else both begin as two narrow cones (texts at a cosine of 0.9), and the first hundreds of steps pass in
            widening them.
        precision: of the image tower.
    """

    first: Lesson
    second: Lesson
    objects: Count = 12000
    object_seed: Seed = 0
    scenes: Count = 3000
    scene_seed: Seed = 1_000_000
    mixed: Number = 3
    sentences: Number = 3
    told: Rate = 4.0
    places: Share = 0.45
    relations: Share = 0.15
    lr: Rate = 2e-3
    text: Rate = 0.3
    weight_decay: Rate = 0.05
    clip: Rate = 5.0
    centred: bool = True
    precision: Precision = "auto"
    warmth: Positive = 1 / 0.07
    warmest: Positive = 50.0
    still: Number = 0
    start: str | None = None
    seed: Seed = 0


class Sizes(Protocol):
    """What the loop asks of a network's config."""

    @property
    def image_size(self) -> int:
        """Side of its pictures in pixels."""
        ...

    @property
    def text_length(self) -> int:
        """Tokens of a text."""
        ...

    def to_json(self) -> str:
        """As it stands in a safetensors header."""
        ...


class Towers(Protocol):
    """A module that the loop can teach; parameters of the image tower lie under ``visual.``."""

    logit_scale: nn.Parameter

    @property
    def config(self) -> Sizes:
        """The sizes of the network."""
        ...

    def encode_image(self, images: Tensor) -> Tensor:
        """``(B, 3, S, S)`` of any S that a lesson has -> ``(B, D)``, not normalised."""
        ...

    def encode_text(self, tokens: Tensor) -> Tensor:
        """``(N, text_length)`` -> ``(N, D)``, not normalised."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """As any module's; so are those below."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...  # noqa: D102
    def state_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> Any: ...  # noqa: D102
    def eval(self) -> Any: ...  # noqa: D102


T = TypeVar("T", bound=Towers)
Shows = Callable[[Pictures, Pictures, Lesson, int, np.random.Generator], ShownLesson]


def word_ids() -> Tensor:
    """The token ids of all words of the drawn world, ascending: int64 ``(V,)``, for ``trimmed`` tables."""
    return torch.tensor(sorted({token for row in encode(all_words()) for token in row} | {0}))


def teach(
    network: T,
    course: Course,
    out: Path,
    device: torch.device,
    *,
    name: str,
    centre: Callable[[T, Tensor, Tensor], None] | None = None,
    losses: Callable[..., dict[str, Tensor]] | None = None,
    shows: Shows = show,
    views: Callable[[T, Tensor, ShownLesson], Sequence[Tensor]] | None = None,
    warmup: int = WARMUP,
    overwrite: bool = False,
) -> Path:
    """The loop.

    Args:
        network: on the device, in training mode, before it learns anything.
        course: the recipe; as text it stands in the weights' header, and a state of another text is refused.
        out: folder; holds ``NAME.safetensors`` at the end and ``NAME/`` (log, state) before. An unfinished training in
            it is continued, a finished one returned; one of another recipe is refused.
        device: of the batches.
        name: of the trainer's weights.
        centre: see :attr:`Course.centred`; is given images ``(B, 3, S, S)`` and tokens ``(N, text_length)``. Without
            one nothing is centred.
        losses: what a step makes small, by name, instead of the contrasts below; it is given the network, the course,
            the step's lesson, the pictures of objects and of scenes, the generator that decides, the device, and
            ``still=``, and may ask for other pictures or summaries than they do.
        shows: the pictures of a step, see :func:`tris_model.tiny_clip.lessons.show`, which it is by default.
        views: the summaries of a batch that are to agree with texts, each a row for every thing that is shown; by
            default what ``look`` gives. All are asked the same, and count the same.
        warmup: steps until the rate is whole.
        overwrite: see :func:`tris_model.train.loop.finished.settle`.

    Returns:
        The weights.

    Raises:
        UsageError: a file stands where the folder should be.
        DataError: the folder holds a training by another recipe.
        RisbenchError: the folder cannot be written.
    """
    ask_all = partial(_losses, shows, views) if losses is None else losses
    forget_peak(device)
    kept = out / f"{name}.safetensors"
    if settle(kept, out / name, course, name, overwrite=overwrite):
        return kept
    check_folder(out, [name])
    _check_lessons(course, network.config.image_size, name)
    optimiser = torch.optim.AdamW(_groups(network, course), betas=(0.9, 0.98))
    journal = Journal(out / name)
    said = json.dumps(asdict(course), sort_keys=True)

    def load(state: Any) -> None:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])

    begun = journal.resume(said, load)
    total = course.first.steps + course.second.steps
    size = network.config.image_size
    with bar("drawing pictures", 1) as told:
        objects = pictures("objects", course.objects, course.object_seed, size, _share(told))
        scenes = pictures("scenes", course.scenes, course.scene_seed, size, _share(told))

    if not begun and course.centred and course.start is None and centre is not None:
        with computing(course.precision):
            centre(network, *_sample(objects, course, network.config.text_length, device))

    def state() -> dict[str, Any]:
        return {"network": network.state_dict(), "optimiser": optimiser.state_dict()}

    with bar(name, total, begun) as told, interruptible() as stopping, computing(course.precision):
        for step in range(begun, total):
            tick = time.perf_counter()
            lesson = course.first if step < course.first.steps else course.second
            draw = np.random.default_rng((course.seed, step))
            rate = course.lr * min(1.0, (step + 1) / warmup) * 0.5 * (1 + cos(pi * step / total))
            for group in optimiser.param_groups:
                group["lr"] = rate * group["part"]
            terms = ask_all(network, course, lesson, objects, scenes, draw, device, still=step < course.still)
            loss = torch.stack(list(terms.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = clipped(network.parameters(), course.clip)
            check_loss(name, step, total, loss.item(), norm, optimiser)
            optimiser.step()
            check_weights(name, step, total, network.parameters(), optimiser)
            speed = (lesson.objects + lesson.scenes) / elapsed(tick, device)
            journal.log(step, **terms, lr=rate, images_per_second=speed, memory=memory(device))
            told(step + 1, f"loss {loss.item():.3f}  {speed:.0f} images/s")
            journal.keep(step + 1, said, state, now=stopping())
            if stopping():
                raise Stopped(f"stopped at step {step + 1} of {total}; the same command goes on")
    network.eval()
    write(network.state_dict(), kept, {"config": network.config.to_json(), "recipe": said})
    journal.done()
    return kept


def _check_lessons(course: Course, size: int, name: str) -> None:
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


def _groups(network: Towers, course: Course) -> list[dict[str, Any]]:
    """Image and text tower, each with what decays and what does not: norms, biases and tables of positions."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        decays = weight.ndim >= 2 and "positional" not in name
        groups.setdefault((name.startswith("visual."), decays), []).append(weight)
    return [
        {"params": some, "weight_decay": course.weight_decay if decays else 0.0, "part": 1.0 if sees else course.text}
        for (sees, decays), some in groups.items()
    ]


def _sample(objects: Pictures, course: Course, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Some pictures of objects, and captions as tokens."""
    draw = np.random.default_rng((course.seed, SAMPLE))
    shown = show(objects, objects, Lesson(objects=SAMPLE, side=course.first.side), 0, draw)
    captions: set[str] = set()
    for _ in range(SAMPLE // MOST):
        captions.update(ask(mixed(draw, course.places, course.relations), shown.things, draw)[0])
    tokens = pack(encode(sorted(captions)), length=length)
    return normalised(shown.images, device), tokens.to(device)


@torch.no_grad()
def centre_texts(network: TextTower, tokens: Tensor) -> None:
    """Take the mean of some texts out of what a CLIP's text tower gives; one half of a ``centre``."""
    words = network.encode_words(tokens)[torch.arange(len(tokens), device=tokens.device), tokens.argmax(1)]
    network.ln_final.bias.sub_(words.mean(0))


def _share(told: Callable[[int, str], None]) -> Callable[[int, int], None]:
    return lambda done, total: told(0, f"{done} of {total}")


def _losses(
    shows: Shows,
    views: Callable[[T, Tensor, ShownLesson], Sequence[Tensor]] | None,
    network: T,
    course: Course,
    lesson: Lesson,
    objects: Pictures,
    scenes: Pictures,
    draw: np.random.Generator,
    device: torch.device,
    *,
    still: bool,
) -> dict[str, Tensor]:
    """One forward of a batch of objects and scenes, and every contrast about them."""
    scale = network.logit_scale.exp().clamp(max=course.warmest)
    shown = shows(objects, scenes, lesson, course.sentences, draw)
    questions = [*alone(draw), *(mixed(draw, course.places, course.relations) for _ in range(course.mixed))]
    asked = [ask(one, shown.things, draw) for one in questions]
    batch = normalised(shown.images, device) * torch.from_numpy(shown.masks).to(device)[:, None]
    batch = batch.contiguous(memory_format=torch.channels_last)
    with autocast(course.precision, device):
        summaries = [network.encode_image(batch)] if views is None else views(network, batch, shown)
    flat = [text for captions, _ in asked for text in captions]
    flat += [text for text, _ in shown.sentences]
    distinct, where = np.unique(np.array(flat, dtype=object), return_inverse=True)
    tokens = pack(encode(distinct.tolist()), length=network.config.text_length).to(device)
    with torch.set_grad_enabled(not still):
        read_all = F.normalize(network.encode_text(tokens), dim=1)[torch.from_numpy(where).to(device)]
    terms = [
        _terms(F.normalize(seen.float(), dim=1), read_all, course, lesson, asked, shown.sentences, scale)
        for seen in summaries
    ]
    return {key: torch.stack([some[key] for some in terms]).mean() for key in terms[0]}


def _terms(
    seen: Tensor,
    read_all: Tensor,
    course: Course,
    lesson: Lesson,
    asked: Sequence[tuple[list[str], np.ndarray]],
    sentences: Sequence[tuple[str, int]],
    scale: Tensor,
) -> dict[str, Tensor]:
    """The contrasts of one summary of the batch, ``(B, D)``, with all its texts."""
    each, first = [], 0
    for captions, true in asked:
        texts = read_all[first : first + len(captions)]
        each.append(contrastive_loss(seen, texts, torch.from_numpy(true).to(seen.device), scale))
        first += len(captions)
    terms = {"questions": torch.stack(each).sum()}
    if sentences:
        own = torch.tensor([at for _, at in sentences], device=seen.device)
        other = lesson.objects + ((own - lesson.objects) ^ 1)
        terms["sentences"] = course.told * choice_loss(read_all[first:], seen[own], seen[other], scale)
    return terms
