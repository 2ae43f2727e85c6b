"""The training loop of two towers in the drawn world: lessons, questions, contrastive losses.

It serves every small network of the drawn world that has an image tower and a text tower: TRIS's tiny CLIP (``clip``)
and the networks of its rivals. Each has a :class:`~tris_model.tiny_clip.contract.Trainer`. There are two lessons: crops
of single objects, then scenes with one subject in focus (see ``lessons``). Both have questions about their subjects
(shape, colour, pattern, size, place; see ``questions``). In addition, a sentence about a subject must choose between
the two views of its scene.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..clip.pixels import normalised
from ..clip.tokens import encode, pack
from ..clip.towers import TextTower
from ..devices import computing, elapsed
from ..files.checkpoint import write
from ..train.inputs import check_folder
from ..train.loop.finished import settle
from ..train.loop.finite import check_loss, check_weights, clipped
from ..train.loop.journal import Journal, Stopped, bar, forget_peak, interruptible, memory
from .contract import StepInputs, Towers, Trainer
from .course import Course, check_lessons
from .lessons import MOST, Lesson, ask, show
from .pictures import Pictures, pictures
from .questions import all_words, mixed

SAMPLE = 256  # pictures whose mean is taken


def word_ids() -> Tensor:
    """The token ids of all words of the drawn world, ascending: int64 ``(V,)``, for ``trimmed`` token tables."""
    return torch.tensor(sorted({token for row in encode(all_words()) for token in row} | {0}))


def teach(trainer: Trainer, out: Path, device: torch.device, *, overwrite: bool = False) -> Path:
    """Train a network.

    Args:
        trainer: the initial network, its recipe and its losses.
        out: the output folder, for ``NAME/`` (log, state) and at the end ``NAME.safetensors``. An unfinished training
            in it is continued; a finished one is returned; one by another recipe is refused.
        device: the device of the batches.
        overwrite: see :func:`tris_model.train.loop.finished.settle`.

    Returns:
        The path of the weights.

    Raises:
        UsageError: ``out`` or a part of its path is a file.
        DataError: the folder holds a training by another recipe.
        RisbenchError: the folder cannot be written.
    """
    name, network, course = trainer.name, trainer.network, trainer.course
    size = network.config.image_size

    # An earlier training in the folder.
    forget_peak(device)
    weights = out / f"{name}.safetensors"
    if settle(weights, out / name, course, name, overwrite=overwrite):
        return weights
    check_folder(out, [name])
    check_lessons(course, size, name)

    # The optimiser, and the state of an unfinished training.
    optimiser = torch.optim.AdamW(_groups(network, course), betas=(0.9, 0.98))
    journal = Journal(out / name)
    recipe_text = json.dumps(asdict(course), sort_keys=True)

    def state() -> dict[str, Any]:
        return {"network": network.state_dict(), "optimiser": optimiser.state_dict()}

    def load(state: Any) -> None:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])

    begun = journal.resume(recipe_text, load, type(course))
    total = course.first.steps + course.second.steps

    # The images, and the centred start.
    with bar("drawing pictures", course.objects + course.scenes) as on_progress:
        objects = pictures("objects", course.objects, course.object_seed, size, _after(0, on_progress))
        scenes = pictures("scenes", course.scenes, course.scene_seed, size, _after(course.objects, on_progress))
    if not begun and course.centred and course.start is None:
        with computing(course.precision):
            trainer.centre(*_sample(objects, course, network.config.text_length, device))

    # The steps.
    with bar(name, total, begun) as on_progress, interruptible() as stopping, computing(course.precision):
        for at in range(begun, total):
            tick = time.perf_counter()
            rate = course.lr * min(1.0, (at + 1) / trainer.warmup) * 0.5 * (1 + cos(pi * at / total))
            for group in optimiser.param_groups:
                group["lr"] = rate * group["part"]
            lesson = course.first if at < course.first.steps else course.second
            draw = np.random.default_rng((course.seed, at))
            terms = trainer.losses(StepInputs(lesson, objects, scenes, draw, device, at < course.freeze_text_steps))
            loss = torch.stack(list(terms.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = clipped(network.parameters(), course.clip)
            check_loss(name, at, total, loss.item(), norm, optimiser)
            optimiser.step()
            check_weights(name, at, total, network.parameters(), optimiser)
            speed = (lesson.objects + lesson.scenes) / elapsed(tick, device)
            journal.log(at, **terms, lr=rate, images_per_second=speed, memory=memory(device))
            on_progress(at + 1, f"loss {loss.item():.3f}  {speed:.0f} images/s")
            journal.keep(at + 1, recipe_text, state, now=stopping())
            if stopping():
                raise Stopped(f"stopped at step {at + 1} of {total}; the same command goes on")

    # The weights.
    network.eval()
    write(network.state_dict(), weights, {"config": network.config.to_json(), "recipe": recipe_text})
    journal.done()
    return weights


def _groups(network: Towers, course: Course) -> list[dict[str, Any]]:
    """Parameter groups of both towers. Norms, biases and position embeddings have no weight decay."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        decays = weight.ndim >= 2 and "positional" not in name
        groups.setdefault((name.startswith("visual."), decays), []).append(weight)
    return [
        {"params": some, "weight_decay": course.weight_decay if decays else 0.0, "part": 1.0 if sees else course.text}
        for (sees, decays), some in groups.items()
    ]


def _sample(objects: Pictures, course: Course, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Some images of objects, and captions as tokens."""
    draw = np.random.default_rng((course.seed, SAMPLE))
    shown = show(objects, objects, Lesson(objects=SAMPLE, side=course.first.side), 0, draw)
    captions: set[str] = set()
    for _ in range(SAMPLE // MOST):
        captions.update(ask(mixed(draw, course.places, course.relations), shown.things, draw)[0])
    tokens = pack(encode(sorted(captions)), length=length)
    return normalised(shown.images, device), tokens.to(device)


@torch.no_grad()
def centre_texts(network: TextTower, tokens: Tensor) -> None:
    """Subtract the mean feature of some texts from the output of a CLIP's text tower; one half of a ``centre``."""
    words = network.encode_words(tokens)[torch.arange(len(tokens), device=tokens.device), tokens.argmax(1)]
    network.ln_final.bias.sub_(words.mean(0))


def _after(before: int, on_progress: Callable[[int, str], None]) -> Callable[[int, int], None]:
    """Counts pictures after those that were drawn before."""
    return lambda done, _: on_progress(before + done, "")
