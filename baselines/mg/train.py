"""MG's training: ``risbench train mg --recipe NAME``. Images and their expressions, and nothing else.

A step shows a batch of images with an expression of each, and asks which expression belongs to which image. Where the
words are is never shown: the network finds it because only what a word attends to counts for the score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from risbench import Method, Sample, Split, UsageError, load_split
from risbench.datasets.images import read_image
from risbench.datasets.shapes import exchange
from tris_model.devices import autocast, pick
from tris_model.ranges import Count, Number, Positive, Rate
from tris_model.train import building, names, one
from tris_model.train.loop import Ahead, rank, torchrun, world

from ..train.fitting import TrainingRecipe, fit
from .config import MgConfig
from .loss import GAMMA_MATCH, GAMMA_WORDS, losses, regulariser
from .pixels import squashed
from .start import started, text_side

FOLDER = Path(__file__).parent / "recipes"
TABLE = "mg"
AXES = ("left-right", "top-bottom")


@dataclass(frozen=True, slots=True)
class MgRecipe(TrainingRecipe):
    """Everything that decides a training; the defaults are the authors'.

    Attributes:
        network: sizes, and what the two editions of the authors' program do differently.
        text: where ELMo's features of the split's expressions lie (see :mod:`baselines.mg.elmo_file`), or ``bilstm``:
            an embedding and a BiLSTM that are learnt here, from the words of the split.
        vgg: torchvision's VGG16 of ImageNet, or ``vgg_16.ckpt``'s own bundle; None draws the trunk.
        trunk_learns: whether the trunk learns; the authors' does not.
        texts: expressions of each image in a step; the authors' 1.
        short: steps at the beginning in which an object is named by its shortest expression alone; the authors' 0.
        pads: whether padding counts as words, as in the authors' loss.
        gamma_words, gamma_match: see :func:`baselines.mg.losses`.
        order: of the images: ``set``, that of the split, in every epoch, as the authors have it; or ``shuffled``.
        flip: images are not mirrored (``none``), as the authors have it; or at random with left and right exchanged in
            their texts (``sides``), or top and bottom too (``both``), which is known to be true of drawn scenes only.
        optimiser: ``adam`` or ``adamw``.
        lr, weight_decay: of it.
        regularised: whether the squares of the heads' kernels are a part of the loss.
        schedule: ``constant``, or ``cosine`` to 0.
        warmup: steps until the rate is whole.
        channels_last: the memory format of the network; quicker in bf16 on a CPU.
    """

    network: MgConfig = field(default_factory=MgConfig)
    text: str = "bilstm"
    vgg: str | None = None
    trunk_learns: bool = False
    texts: Count = 1
    short: Number = 0
    pads: bool = True
    gamma_words: Positive = GAMMA_WORDS
    gamma_match: Positive = GAMMA_MATCH
    order: Literal["set", "shuffled"] = "set"
    flip: Literal["none", "sides", "both"] = "none"
    optimiser: Literal["adam", "adamw"] = "adam"
    lr: Rate = 1e-4
    weight_decay: Rate = 0.0
    regularised: bool = True
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Number = 0
    channels_last: bool = False


class MatchBatch(NamedTuple):
    """This rank's images of a step, and the expressions about them.

    Attributes:
        pending: uint8 ``(S, S, 3)`` each, under way.
        texts: those of an image in a row.
        flips: whether each image is mirrored left to right, and top to bottom.
    """

    pending: list[Future[np.ndarray]]
    texts: list[str]
    flips: list[tuple[bool, bool]]


class MatchOrder:
    """The images and expressions of every step, which depend on the seed and the step alone.

    Attributes:
        an_epoch: steps of an epoch; images that do not fill a batch are left out.
    """

    def __init__(self, split: Split, recipe: MgRecipe):
        groups = list(split.by_image())
        if len(groups) < max(2, recipe.batch):
            raise UsageError(
                f"mg.batch is {recipe.batch}, but {recipe.split} has {len(groups)} images; make it smaller"
            )
        self.an_epoch = len(groups) // recipe.batch
        self._texts = [[sample.text for sample in group] for group in groups]
        self._short = [shortest(group) for group in groups]
        paths = [group[0].image_path for group in groups]
        side = recipe.network.image_size
        self._images = Ahead(lambda at: squashed(read_image(paths[at]), side), len(paths) * side * side * 3)
        self._recipe = recipe

    def start(self, step: int) -> MatchBatch:
        """Begin to read the images of a step, and draw its texts."""
        recipe = self._recipe
        epoch, place = divmod(step, self.an_epoch)
        order = np.arange(len(self._texts))
        if recipe.order == "shuffled":
            order = np.random.default_rng((recipe.seed, epoch)).permutation(len(self._texts))
        chosen = order[place * recipe.batch : (place + 1) * recipe.batch]
        part = recipe.batch // world()  # the authors' batch is shared by the GPUs in this way, and so is the contrast
        mine = chosen[rank() * part : (rank() + 1) * part].tolist()
        texts, flips = [], []
        for at in mine:
            draw = np.random.default_rng((recipe.seed, epoch, at))
            turned = (recipe.flip != "none" and draw.random() < 0.5, recipe.flip == "both" and draw.random() < 0.5)
            own = (self._short if step < recipe.short else self._texts)[at]
            for which in np.resize(draw.permutation(len(own)), recipe.texts).tolist():
                text = own[which]
                for axis, flipped in zip(AXES, turned, strict=True):
                    text = exchange(text, axis) if flipped else text
                texts.append(text)
            flips.append((bool(turned[0]), bool(turned[1])))
        return MatchBatch(self._images.start(mine), texts, flips)

    def images(self, batch: MatchBatch) -> Tensor:
        """uint8 ``(B, S, S, 3)``, mirrored."""
        images = self._images.take(batch.pending)
        for at, (across, down) in enumerate(batch.flips):
            images[at] = images[at, :: -1 if down else 1, :: -1 if across else 1].copy()
        return torch.from_numpy(images)


def shortest(samples: Sequence[Sample]) -> list[str]:
    """The shortest text about each object of an image."""
    found: dict[object, str] = {}
    for sample in samples:
        text = found.setdefault(sample.ref_id, sample.text)
        found[sample.ref_id] = min(text, sample.text, key=lambda one: (len(one.split()), one))
    return list(found.values())


class MgTrainer:
    """See :class:`baselines.train.fitting.RivalTrainer`."""

    def __init__(self, recipe: MgRecipe, device: torch.device, data_root: Path | None):
        split = load_split(recipe.split, data_root)
        self._order = MatchOrder(split if recipe.limit is None else split.first_images(recipe.limit), recipe)
        self.an_epoch = self._order.an_epoch
        config, self._source, vocabulary = text_side(recipe, [sample.text for sample in split])
        with building(TABLE):
            network = started(replace(recipe, network=config))
        if world() > 1 and device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(network)
        network = network.to(device).train()
        if recipe.channels_last:
            network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.network: nn.Module = network
        kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
        learning = [weight for weight in network.parameters() if weight.requires_grad]
        self.optimiser: torch.optim.Optimizer = kind(learning, recipe.lr, weight_decay=recipe.weight_decay)
        for group in self.optimiser.param_groups:
            group["initial_lr"] = recipe.lr
        self.metadata: Mapping[str, str] = {"config": config.to_json(), **vocabulary}
        self._recipe, self._device, self._plain = recipe, device, network

    def start(self, step: int) -> MatchBatch:
        """Begin to read a step's images."""
        return self._order.start(step)

    def losses(self, learner: Any, data: MatchBatch, step: int) -> tuple[dict[str, Tensor], int]:
        """The four terms and, where the recipe has it, the regulariser; and how many images they are of."""
        recipe = self._recipe
        images = self._order.images(data).to(self._device).permute(0, 3, 1, 2).float()
        if recipe.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        text = self._source.batch(data.texts).to(self._device)
        mask = None
        if not recipe.pads:
            mask = (torch.arange(text.words.shape[1])[None] < text.lengths.clamp(min=1)[:, None]).to(self._device)
        with autocast(recipe.precision, self._device):
            found = learner(images, text.words, text.lstm1, text.lstm2, text.lengths)
            half = torch.is_autocast_enabled(self._device.type)
        pixels, words, sentences = (part.bfloat16() if half else part for part in found)
        terms = losses(
            pixels, words, sentences, mask, gamma_words=recipe.gamma_words, gamma_match=recipe.gamma_match,
            sentence=recipe.network.sentence, squared=recipe.network.squared,
        )  # fmt: skip
        if recipe.regularised:
            terms["regulariser"] = regulariser(self._plain)
            terms["loss"] = terms["loss"] + terms["regulariser"]
        return terms, len(images)

    def rate(self, step: int, total: int) -> float:
        """Of the schedule."""
        warm = min(1.0, (step + 1) / (self._recipe.warmup + 1))
        return warm if self._recipe.schedule == "constant" else warm * (1 + math.cos(math.pi * step / total)) / 2

    def method(self, weights: Path) -> Method:
        """MG with these weights."""
        from .method import make

        return make(weights=str(weights), device=str(self._device), text=self._recipe.text)


def train(
    recipe: str,
    *,
    out: str | Path,
    device: str = "auto",
    data_root: str | Path | None = None,
    stage: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Train MG.

    Args:
        recipe: a name or a TOML file with a table ``mg``.
        out: folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``; under ``torchrun`` each process has its own card.
        data_root: where the data lie.
        stage: there is none.
        overwrite: train anew where ``out`` holds a training by another recipe, which is refused otherwise.
        options: changes to the recipe, ``lr=…`` or ``network.grid=…``.

    Returns:
        The weights, ``OUT/mg.safetensors``.
    """
    if stage is not None:
        raise UsageError("mg trains in one piece; leave --stage out")
    made = one(MgRecipe, recipe, TABLE, options, FOLDER)
    root = None if data_root is None else Path(data_root)
    with torchrun(device) as place_name:
        place = pick(place_name)
        return fit(TABLE, made, lambda: MgTrainer(made, place, root), Path(out), place, root, overwrite=overwrite)


train.recipes = names(TABLE, FOLDER)  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
