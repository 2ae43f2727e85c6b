"""The tiny CLIP of the drawn world: ``risbench train clip --recipe shapes``.

It is TRIS's start and its scorer, so what it cannot see TRIS cannot learn. Two lessons: windows round single objects,
then scenes with one subject in focus (see ``lessons``). Both are asked questions about their subjects (shape, colour,
pattern, size, place; see ``questions``), and a sentence about a subject must find it among the two views of its scene.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from math import cos, log, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from risbench.errors import UsageError

from ..checkpoint import write
from ..clip import Clip
from ..clipfile import open_clip
from ..config import Config
from ..devices import Precision, autocast, pick
from ..pixels import DEVIATION, MEAN
from ..tokens import encode, pack
from .contrast import choice, contrast
from .journal import Journal, Stopped, bar, interruptible, memory
from .lessons import MOST, Lesson, ask, show
from .pictures import Pictures, pictures
from .questions import all_words, alone, mixed
from .recipe import changed, names, read, record

WARMUP = 50
SAMPLE = 256  # pictures whose mean is taken


@dataclass(frozen=True, slots=True)
class ClipRecipe:
    """Everything that decides the tiny CLIP.

    Attributes:
        first, second: the two lessons.
        network: sizes; ``vocabulary`` follows from the words.
        objects, scenes: pictures drawn.
        object_seed, scene_seed: of the first, counted from ``FREE_SEEDS``.
        mixed: questions about several things, besides those about one, that are asked of every batch.
        sentences: taken of every subject of a scene.
        told: weight of the sentences' choice beside the questions' contrasts.
        places, relations: see :func:`tris_model.train.questions.mixed`.
        warmth, warmest: the temperature at the start, and at most.
        still: steps in which the text tower does not learn. Words that pictures cannot yet answer ("dotted", "top")
            only disturb the contrast, so a learning text tower soon reads them all alike, and then nothing tells
            pictures to tell them apart: measured, both stayed at chance for 900 steps. A fixed tower keeps them apart.
        text: the text tower's rate as a part of ``lr``.
        start: a tiny CLIP to go on from, instead of a new one.
        ramp: deviation of the coordinate ramp and of the attention pool's positions at the start.
        centred: the biases before the joint space start so that the mean picture and the mean text are zero there.
            Else both begin as two narrow cones (texts at a cosine of 0.9), and the first hundreds of steps pass in
            widening them.
        precision: of the image tower.
    """

    first: Lesson
    second: Lesson
    network: Config = field(default_factory=Config)
    objects: int = 12000
    object_seed: int = 0
    scenes: int = 3000
    scene_seed: int = 1_000_000
    mixed: int = 3
    sentences: int = 3
    told: float = 4.0
    places: float = 0.45
    relations: float = 0.15
    lr: float = 2e-3
    text: float = 0.3
    weight_decay: float = 0.05
    clip: float = 5.0
    ramp: float = 0.3
    centred: bool = True
    precision: Precision = "auto"
    warmth: float = 1 / 0.07
    warmest: float = 50.0
    still: int = 0
    start: str | None = None
    seed: int = 0


def train(recipe: str, *, out: str | Path, device: str = "auto", stage: str | None = None, **options: Any) -> Path:
    """Train the tiny CLIP.

    Args:
        recipe: a name or a TOML file with a table ``clip``.
        out: folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``.
        stage: there is none.
        options: changes to the recipe, ``lr=…`` or ``second.steps=…``.

    Returns:
        The weights, ``OUT/clip.safetensors``.
    """
    if stage is not None:
        raise UsageError("clip trains in one piece; leave --stage out")
    options = {key if key.startswith("clip.") else f"clip.{key}": value for key, value in options.items()}
    tables = changed(read(recipe), options, "clip")
    if "clip" not in tables:
        raise UsageError(f"recipe {recipe} has no table [clip]: {', '.join(names('clip'))}")
    return fit(record(ClipRecipe, tables["clip"], "clip"), Path(out), pick(device))


def start(recipe: ClipRecipe) -> Clip:
    """The network before it learns anything."""
    torch.manual_seed(recipe.seed)
    ids = sorted({token for row in encode(all_words()) for token in row} | {0})
    network = Clip(replace(recipe.network, trimmed=True, vocabulary=len(ids) + 1))
    assert network.token_ids is not None
    network.token_ids.copy_(torch.tensor(ids))
    with torch.no_grad():
        network.visual.attnpool.positional_embedding.normal_(std=recipe.ramp)
        if network.visual.ramp is not None:
            network.visual.ramp.normal_(std=recipe.ramp)
        network.logit_scale.fill_(log(recipe.warmth))
    if recipe.start is not None:
        network.load_state_dict(open_clip(recipe.start)[0])
    return network


def fit(recipe: ClipRecipe, out: Path, device: torch.device) -> Path:
    """The loop."""
    kept = out / "clip.safetensors"
    if kept.exists():
        return kept
    network = start(recipe).to(device, memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
    optimiser = torch.optim.AdamW(_groups(network, recipe), betas=(0.9, 0.98))
    journal = Journal(out / "clip")
    said = json.dumps(asdict(recipe), sort_keys=True)

    def load(state: Any) -> None:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])

    begun = journal.resume(said, load)
    total = recipe.first.steps + recipe.second.steps
    with bar("drawing pictures", 1) as told:
        objects = pictures("objects", recipe.objects, recipe.object_seed, recipe.network.image_size, _share(told))
        scenes = pictures("scenes", recipe.scenes, recipe.scene_seed, recipe.network.image_size, _share(told))

    if not begun and recipe.centred and recipe.start is None:
        _centre(network, *_sample(objects, recipe, network.config.text_length, device))

    def state() -> dict[str, Any]:
        return {"network": network.state_dict(), "optimiser": optimiser.state_dict()}

    with bar("clip", total, begun) as told, interruptible() as stopping:
        for step in range(begun, total):
            tick = time.perf_counter()
            lesson = recipe.first if step < recipe.first.steps else recipe.second
            draw = np.random.default_rng((recipe.seed, step))
            rate = recipe.lr * min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + cos(pi * step / total))
            for group in optimiser.param_groups:
                group["lr"] = rate * group["part"]
            terms = _losses(network, recipe, lesson, objects, scenes, draw, device, still=step < recipe.still)
            loss = torch.stack(list(terms.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
            optimiser.step()
            seconds = time.perf_counter() - tick
            speed = (lesson.objects + lesson.scenes) / seconds
            journal.log(step, **terms, lr=rate, images_per_second=speed, memory=memory(device))
            told(step + 1, f"loss {loss.item():.3f}  {speed:.0f} images/s")
            journal.keep(step + 1, said, state, now=stopping())
            if stopping():
                raise Stopped(f"stopped at step {step + 1} of {total}; the same command goes on")
    network.eval()
    write(network.state_dict(), kept, {"config": network.config.to_json(), "recipe": said})
    journal.done()
    return kept


def _groups(network: Clip, recipe: ClipRecipe) -> list[dict[str, Any]]:
    """Image and text tower, each with what decays and what does not: BatchNorms, biases and tables of positions."""
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        decays = weight.ndim >= 2 and "positional" not in name
        groups.setdefault((name.startswith("visual."), decays), []).append(weight)
    return [
        {"params": some, "weight_decay": recipe.weight_decay if decays else 0.0, "part": 1.0 if sees else recipe.text}
        for (sees, decays), some in groups.items()
    ]


def _sample(objects: Pictures, recipe: ClipRecipe, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Some pictures of objects, and captions as tokens."""
    draw = np.random.default_rng((recipe.seed, SAMPLE))
    shown = show(objects, objects, Lesson(objects=SAMPLE, side=recipe.first.side), 0, draw)
    captions: set[str] = set()
    for _ in range(SAMPLE // MOST):
        captions.update(ask(mixed(draw, recipe.places, recipe.relations), shown.things, draw)[0])
    tokens = pack(encode(sorted(captions)), length=length)
    return normalised(shown.images, device), tokens.to(device)


@torch.no_grad()
def _centre(network: Clip, images: Tensor, tokens: Tensor) -> None:
    """Take the means of some pictures and of their captions out of what the two towers give."""
    words = network.read(tokens)[torch.arange(len(tokens), device=tokens.device), tokens.argmax(1)]
    network.ln_final.bias.sub_(words.mean(0))
    network.visual.attnpool.c_proj.bias.sub_(network.look(images).mean(0))


def _share(told: Callable[[int, str], None]) -> Callable[[int, int], None]:
    return lambda done, total: told(0, f"{done} of {total}")


def _losses(
    network: Clip,
    recipe: ClipRecipe,
    lesson: Lesson,
    objects: Pictures,
    scenes: Pictures,
    draw: np.random.Generator,
    device: torch.device,
    *,
    still: bool,
) -> dict[str, Tensor]:
    """One forward of a batch of objects and scenes, and every contrast about them."""
    scale = network.logit_scale.exp().clamp(max=recipe.warmest)
    shown = show(objects, scenes, lesson, recipe.sentences, draw)
    questions = [*alone(draw), *(mixed(draw, recipe.places, recipe.relations) for _ in range(recipe.mixed))]
    asked = [ask(one, shown.things, draw) for one in questions]
    batch = normalised(shown.images, device) * torch.from_numpy(shown.masks).to(device)[:, None]
    batch = batch.contiguous(memory_format=torch.channels_last)
    with autocast(recipe.precision, device):
        seen = network.look(batch)
    seen = F.normalize(seen.float(), dim=1)
    flat = [text for captions, _ in asked for text in captions]
    flat += [text for text, _ in shown.sentences]
    distinct, where = np.unique(np.array(flat, dtype=object), return_inverse=True)
    tokens = pack(encode(distinct.tolist()), length=network.config.text_length).to(device)
    with torch.set_grad_enabled(not still):
        read_all = F.normalize(network.sum_up(tokens), dim=1)[torch.from_numpy(where).to(device)]
    each, first = [], 0
    for captions, true in asked:
        texts = read_all[first : first + len(captions)]
        each.append(contrast(seen, texts, torch.from_numpy(true).to(device), scale))
        first += len(captions)
    terms = {"questions": torch.stack(each).sum()}
    if shown.sentences:
        own = torch.tensor([at for _, at in shown.sentences], device=device)
        other = lesson.objects + ((own - lesson.objects) ^ 1)
        terms["sentences"] = recipe.told * choice(read_all[first:], seen[own], seen[other], scale)
    return terms


def normalised(images: np.ndarray, device: torch.device) -> Tensor:
    """uint8 ``(B, S, S, 3)`` -> float32 ``(B, 3, S, S)``, as :func:`tris_model.pixels.preprocess` scales them."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float().div_(255)
    mean, deviation = (torch.tensor(numbers, device=device)[:, None, None] for numbers in (MEAN, DEVIATION))
    return pixels.sub_(mean).div_(deviation).contiguous()


train.recipes = names("clip")  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
