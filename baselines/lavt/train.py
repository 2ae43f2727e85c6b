"""LAVT learns from masks: ``risbench train lavt --recipe shapes``, or ``refcoco`` at the paper's size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from risbench import Method, Sample, UsageError, load_split
from risbench.masks import LazyMask
from tris_model.clip import normalised
from tris_model.devices import autocast, pick
from tris_model.ranges import Number, Rate
from tris_model.train import Refs, building, names, one
from tris_model.train.loop import Ahead, Batch, BatchOrder, Photographs, torchrun, world

from ..train.fitting import TrainingRecipe, fit
from .losses import BACKGROUND, OBJECT, loss
from .optimiser import adamw, freeze
from .sizes import LavtSizes
from .start import started, vocabulary_of

FOLDER = Path(__file__).parent / "recipes"
TABLE = "lavt"


@dataclass(frozen=True, slots=True)
class LavtRecipe(TrainingRecipe):
    """Everything that decides a training of LAVT; the defaults are the authors'.

    Attributes:
        network: sizes.
        swin: the file of ImageNet weights that the Swin transformer starts from; None draws them.
        bert: the file or folder of Hugging Face's that BERT starts from; None draws it.
        by_width: how what starts from no file is drawn; see :func:`baselines.lavt.network.drawn_lavt`.
        vocab: BERT's vocabulary; None takes the words of the split, for a BERT that is drawn.
        lr, weight_decay: of AdamW.
        bert_lr: of BERT; None is the rate of all else, as the authors have it. A BERT that begins untaught and learns
            as fast as the rest unlearns to tell texts apart, before images are understood well enough to need them.
        power: of the polynomial decay, which is made every step.
        warmup: steps until the rate is whole; the authors have none.
        bert_learns: ``ten``: the first ten layers alone, as in the authors' program, which leaves out the embeddings
            and the last two layers; or ``all``.
        background, target: the weights of a pixel in the loss.
        mirror: mirror images and texts at random; the authors do nothing of that kind.
        together: the refs of an image stand side by side in an epoch, so that most batches show an image with several
            expressions, which only the words tell apart. The authors' order knows no images.
        short: steps in which each ref shows its shortest sentence alone.
    """

    network: LavtSizes = field(default_factory=LavtSizes)
    swin: str | None = None
    bert: str | None = None
    by_width: bool = False
    vocab: str | None = None
    lr: Rate = 5e-5
    bert_lr: Rate | None = None
    weight_decay: Rate = 1e-2
    power: Rate = 0.9
    warmup: Number = 0
    bert_learns: Literal["ten", "all"] = "ten"
    background: Rate = BACKGROUND
    target: Rate = OBJECT
    mirror: bool = False
    together: bool = False
    short: Number = 0


def train(
    recipe: str,
    *,
    out: str | Path,
    device: str = "auto",
    stage: str | None = None,
    data_root: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Train LAVT.

    Args:
        recipe: a name or a TOML file with a table ``lavt``.
        out: folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``; under ``torchrun`` each process takes its own card.
        stage: there is none.
        data_root: where the data lie.
        overwrite: train anew where ``out`` holds a training by another recipe, which is refused otherwise.
        options: changes to the recipe, ``lr=…`` or ``network.depths=…``.

    Returns:
        The weights, ``OUT/lavt.safetensors``.
    """
    if stage is not None:
        raise UsageError("lavt trains in one piece; leave --stage out")
    made = one(LavtRecipe, recipe, TABLE, options, FOLDER)
    root = None if data_root is None else Path(data_root)
    with torchrun(device) as place:
        where = pick(place)
        return fit(TABLE, made, lambda: LavtTrainer(made, where, root), Path(out), where, root, overwrite=overwrite)


class LavtTrainer:
    """What :func:`baselines.train.fitting.fit` needs.

    One sample is one ref with one of its sentences, drawn anew each epoch. Images are squashed to a square, bilinear;
    masks are resized with PIL's nearest, and pixels that two parts cover are background, as in the authors' program.
    The samples that are left over at the end of an epoch are not shown.

    Attributes:
        network, optimiser, an_epoch, metadata: see :class:`baselines.train.fitting.RivalTrainer`.
    """

    def __init__(self, recipe: LavtRecipe, device: torch.device, data_root: Path | None = None):
        self._recipe, self._device = recipe, device
        split = load_split(recipe.split, data_root)
        split = split if recipe.limit is None else split.first_images(recipe.limit)
        refs = RefsTogether(split) if recipe.together else Refs(split)
        self._text = vocabulary_of(
            refs.texts, vocab=recipe.vocab, bert=recipe.bert, size=recipe.network.bert.vocabulary
        )
        sizes = replace(recipe.network, bert=replace(recipe.network.bert, vocabulary=len(self._text)))
        side = sizes.image_size
        if side < sizes.smallest_image:
            raise UsageError(f"lavt.network.image_size is {side}; give {sizes.smallest_image} or more")
        with building(TABLE):
            network = started(sizes, recipe.seed, by_width=recipe.by_width, swin=recipe.swin, bert=recipe.bert)
        freeze(network, recipe.bert_learns)
        if world() > 1 and device.type == "cuda":
            torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)
        self.network: nn.Module = network.to(device).train()
        self.optimiser: torch.optim.Optimizer = adamw(
            network, recipe.lr, recipe.weight_decay, bert_lr=recipe.bert_lr, fused=device.type == "cuda"
        )
        self.metadata: Mapping[str, str] = {"config": sizes.to_json(), "vocabulary": json.dumps(self._text.words)}

        photographs = Photographs(refs.paths, side)
        self._short, self._batches = (
            BatchOrder(some, photographs, recipe.batch, seed=recipe.seed, negatives=0, mirror=recipe.mirror)
            for some in (shortest(refs), refs)
        )
        self.an_epoch = self._short.an_epoch = self._batches.an_epoch = len(refs) // recipe.batch
        if not self.an_epoch:
            raise UsageError(f"lavt.batch is {recipe.batch}, but {recipe.split} has {len(refs)} refs; make it smaller")
        samples: dict[object, Sample] = {sample.ref_id: sample for sample in split}
        self._masks = Ahead(
            lambda at: resized_mask(_truth(samples[refs.ids[at]]), side),
            len(refs) * side * side,
        )

    def start(self, step: int) -> tuple[Batch, list[Future[np.ndarray]]]:
        """Begin to read the images and masks of a step."""
        batch = (self._short if step < self._recipe.short else self._batches).start(step)
        return batch, self._masks.start(batch.refs)

    def losses(
        self, learner: Any, data: tuple[Batch, list[Future[np.ndarray]]], step: int
    ) -> tuple[dict[str, Tensor], int]:
        """The cross-entropy, and the number of images."""
        batch, pending = data
        images = normalised(self._batches.images(batch), self._device)
        masks = self._batches.turned(torch.from_numpy(self._masks.take(pending)), batch).to(self._device)
        token_ids, token_mask = self._text.tokenize(batch.texts, self._recipe.network.text_length)
        with autocast(self._recipe.precision, self._device):
            logits = learner(images, token_ids.to(self._device), token_mask.to(self._device))
        return {"loss": loss(logits.float(), masks, self._recipe.background, self._recipe.target)}, len(images)

    def rate(self, step: int, total: int) -> float:
        """The polynomial decay, after a linear warm-up."""
        warm = min(1.0, (step + 1) / (self._recipe.warmup + 1))
        return warm * (1 - step / total) ** self._recipe.power

    def method(self, weights: Path) -> Method:
        """LAVT with these weights."""
        from .method import make

        return make(weights=str(weights), device=str(self._device))


class RefsTogether(Refs):
    """Refs in an order in which those of an image follow one another."""

    def order(self, seed: int, epoch: int) -> np.ndarray:
        """Images in random order, and the refs of each one in random order."""
        draw = np.random.default_rng((seed, epoch))
        place = draw.permutation(len(self.paths))
        shuffled = draw.permutation(len(self.refs))
        return shuffled[np.argsort([place[self.refs[at].image] for at in shuffled], kind="stable")]


def shortest(refs: Refs) -> Refs:
    """The same refs, each with its shortest sentence alone."""
    some = copy(refs)
    some.refs = [replace(ref, texts=(min(ref.texts, key=lambda text: (len(text.split()), text)),)) for ref in refs.refs]
    return some


def resized_mask(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask bool ``(H, W)`` at the network's size, with PIL's nearest: bool ``(side, side)``."""
    picture = Image.fromarray(mask.view(np.uint8)).resize((side, side), Image.Resampling.NEAREST)
    return np.asarray(picture).view(np.bool_)


train.recipes = names(TABLE, FOLDER)  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]


def _truth(sample: Sample) -> np.ndarray:
    """The mask to learn from, bool ``(H, W)``: where exactly one part covers, as the authors' code has it."""
    return LazyMask.of_parts(sample.parts, sample.size, once=True).pixels
