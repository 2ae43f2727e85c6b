"""The tiny CLIP of the drawn world: ``risbench train clip --recipe shapes``.

It is TRIS's start and its scorer, so what it cannot see TRIS cannot learn. Two lessons: questions about pictures of one
object (shape, colour, pattern, size, place; see ``questions``), and sentences about whole scenes, each scene beside its
mirror image, whose sentence differs by "left" and "right" or "above" and "below" alone.
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

from risbench.datasets.shapes import exchange
from risbench.errors import UsageError

from ..checkpoint import write
from ..clip import Clip
from ..clipfile import open_clip
from ..config import Config
from ..devices import pick
from ..pixels import DEVIATION, MEAN
from ..tokens import encode, pack
from .contrast import contrast
from .journal import Journal, Stopped, bar, interruptible, memory
from .order import AXES
from .pictures import Pictures, pictures, thing_of
from .questions import all_words, question
from .recipe import changed, names, read, record

WARMUP = 50
MOST = 40


@dataclass(frozen=True, slots=True)
class Lesson:
    """A part of the curriculum.

    Attributes:
        steps: of the optimiser.
        objects: pictures of one object in a batch.
        scenes: scenes in a batch, half of them mirror images of the other half.
        side: pixels; objects are cut out at this size, scenes need the whole picture.
    """

    steps: int = 400
    objects: int = 128
    scenes: int = 0
    side: int = 80


@dataclass(frozen=True, slots=True)
class ClipRecipe:
    """Everything that decides the tiny CLIP.

    Attributes:
        first, second: the two lessons.
        network: sizes; ``vocabulary`` follows from the words.
        objects, scenes: pictures drawn.
        object_seed, scene_seed: of the first, counted from ``FREE_SEEDS``.
        questions: asked of every batch of objects.
        sentences: taken of every scene.
        alone, places, relations: see :func:`tris_model.train.questions.question`.
        warmth, warmest: the temperature at the start, and at most.
        still: steps in which the text tower does not learn. Words that pictures cannot yet answer ("dotted", "top")
            only disturb the contrast, so a learning text tower soon reads them all alike, and then nothing tells
            pictures to tell them apart: measured, both stayed at chance for 900 steps. A fixed tower keeps them apart.
        start: a tiny CLIP to go on from, instead of a new one.
        ramp: deviation of the coordinate ramp and of the attention pool's positions at the start.
    """

    first: Lesson
    second: Lesson
    network: Config = field(default_factory=Config)
    objects: int = 12000
    object_seed: int = 0
    scenes: int = 3000
    scene_seed: int = 1_000_000
    questions: int = 4
    sentences: int = 3
    alone: float = 0.5
    places: float = 0.45
    relations: float = 0.15
    lr: float = 2e-3
    weight_decay: float = 0.05
    clip: float = 5.0
    ramp: float = 0.3
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
    network = start(recipe).to(device).train()
    # BatchNorms, biases and tables of positions are not drawn to zero.
    matrices = [p for name, p in network.named_parameters() if p.ndim >= 2 and "positional" not in name]
    others = [p for name, p in network.named_parameters() if p.ndim < 2 or "positional" in name]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98))
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

    def state() -> dict[str, Any]:
        return {"network": network.state_dict(), "optimiser": optimiser.state_dict()}

    with bar("clip", total, begun) as told, interruptible() as stopping:
        for step in range(begun, total):
            tick = time.perf_counter()
            lesson = recipe.first if step < recipe.first.steps else recipe.second
            draw = np.random.default_rng((recipe.seed, step))
            rate = recipe.lr * min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + cos(pi * step / total))
            for group in optimiser.param_groups:
                group["lr"] = rate
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
    images, things = _objects(objects, lesson, draw)
    texts: list[list[str | None]] = []
    for _ in range(recipe.questions if things else 0):
        asked = question(draw, recipe.alone, recipe.places, recipe.relations)
        texts.append(_few([asked.answer(thing) for thing in things], draw))
    some, sentences = _scenes(scenes, recipe, lesson, draw)
    batch = normalised(np.concatenate([images, some]), device)
    seen = F.normalize(network.look(batch), dim=1)
    own, whole = seen[: len(images)], seen[len(images) :]
    distinct = sorted({text for row in (*texts, *sentences) for text in row if text is not None})
    place = {text: at for at, text in enumerate(distinct)}
    tokens = pack(encode(distinct), length=network.config.text_length).to(device)
    with torch.set_grad_enabled(not still):
        read_all = F.normalize(network.sum_up(tokens), dim=1)

    def about(part: Tensor, row: list[str | None]) -> Tensor:
        kept = [at for at, text in enumerate(row) if text is not None]
        if len(kept) < 2:
            return part.sum() * 0
        known = sorted({place[row[at]] for at in kept})  # pyright: ignore[reportArgumentType]
        where = {at: number for number, at in enumerate(known)}
        which = torch.tensor([where[place[row[at]]] for at in kept], device=device)  # pyright: ignore
        return contrast(part[kept], read_all[known], which, scale)

    terms = {}
    if texts:
        terms["objects"] = torch.stack([about(own, row) for row in texts]).mean()
    if sentences:
        terms["scenes"] = torch.stack([about(whole, row) for row in sentences]).mean()
    return terms


def _few(row: list[str | None], draw: np.random.Generator) -> list[str | None]:
    """A row of captions with at most `MOST` distinct ones; reading more costs more than seeing the pictures."""
    distinct = sorted({text for text in row if text is not None})
    kept = {distinct[at] for at in draw.permutation(len(distinct))[:MOST].tolist()}
    return [text if text in kept else None for text in row]


def _objects(objects: Pictures, lesson: Lesson, draw: np.random.Generator) -> tuple[np.ndarray, list]:
    """Pictures of one object, cut to the lesson's side round it, half of them mirrored."""
    full = objects.images.shape[1]
    side = lesson.side
    if not lesson.objects:
        return np.zeros((0, side, side, 3), np.uint8), []
    images, things = [], []
    for at in draw.integers(len(objects.images), size=lesson.objects).tolist():
        image, said = objects.images[at], objects.said[at]
        x, y = (_corner(draw, said[4 + axis], said[6 + axis], side, full) for axis in (0, 1))
        thing = thing_of(said, x / full, y / full, side / full)
        image = image[y : y + side, x : x + side]
        if draw.random() < 0.5:
            image, thing = image[:, ::-1], replace(thing, x=1 - thing.x)
        images.append(image)
        things.append(thing)
    return np.stack(images), things


def _corner(draw: np.random.Generator, low: float, high: float, side: int, full: int) -> int:
    """Where a window begins that holds what lies between two fractions of the picture."""
    first, last = max(0, int(np.ceil(high * full)) - side), min(full - side, int(low * full))
    return int(draw.integers(first, last + 1)) if first <= last else max(0, min(full - side, last))


def _scenes(
    scenes: Pictures, recipe: ClipRecipe, lesson: Lesson, draw: np.random.Generator
) -> tuple[np.ndarray, list[list[str | None]]]:
    """Scenes beside their mirror images, and some sentences of each: ``(M, S, S, 3)``, a list a sentence."""
    if not lesson.scenes:
        return np.zeros((0, lesson.side, lesson.side, 3), np.uint8), []
    chosen = draw.integers(len(scenes.images), size=lesson.scenes // 2).tolist()
    images, rows = [], [[] for _ in range(recipe.sentences)]
    for at in chosen:
        image, said = scenes.images[at], scenes.said[at]
        flipped, axis = draw.random() < 0.5, AXES[draw.integers(2)]
        if flipped:
            image = image[:, ::-1]
        other = image[:, ::-1] if axis == AXES[0] else image[::-1]
        images += [image, other]
        for row, pick_ in zip(rows, draw.permutation(len(said))[: len(rows)].tolist(), strict=True):
            text = exchange(said[pick_]) if flipped else said[pick_]
            row += [text, exchange(text, axis)]
    return np.stack(images), rows


def normalised(images: np.ndarray, device: torch.device) -> Tensor:
    """uint8 ``(B, S, S, 3)`` -> float32 ``(B, 3, S, S)``, as :func:`tris_model.pixels.preprocess` scales them."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float().div_(255)
    mean, deviation = (torch.tensor(numbers, device=device)[:, None, None] for numbers in (MEAN, DEVIATION))
    return pixels.sub_(mean).div_(deviation).contiguous()


train.recipes = names("clip")  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
