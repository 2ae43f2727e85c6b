"""WWbL's training: ``risbench train wwbl --recipe NAME``. Texts alone, and a frozen CLIP.

Each image is shown once an epoch, with one of its expressions drawn at random. CLIP says where in the image it looks
for the expression, what it finds where the network's map is high, and what it still finds where the map is low.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from risbench import DataError, Method, Split, UsageError, load_split
from risbench.datasets.shapes import exchange
from tris_model.devices import autocast, pick
from tris_model.files import fill, missing, read
from tris_model.ranges import Count, Number, Rate, Share
from tris_model.train import building, names, one
from tris_model.train.loop import Photographs, gather, rank, torchrun, world

from ..train.fitting import TrainingRecipe, fit
from .clip import check_clip, open_clip, origin
from .loss import Pairs, WWbLWeights, disagreement, losses, masked
from .network import WWbLConfig, WWbLNetwork
from .pixels import normalised
from .teacher import ClipTeacher, Pixels

FOLDER = Path(__file__).parent / "recipes"
TABLE = "wwbl"
LOW = -2.0  # of the map before its sigmoid: an eighth
VGG16 = "https://download.pytorch.org/models/vgg16-397923af.pth"


@dataclass(frozen=True, slots=True)
class WWbLRecipe(TrainingRecipe):
    """Everything that decides a training; the defaults are the authors'.

    Attributes:
        teacher: the CLIP: a file, ``shapes``, or ``NAME,TAG`` of open_clip.
        vgg: torchvision's VGG16 of ImageNet, from which the trunk starts; None draws it.
        network: sizes, the prompt, and the side of the input at evaluation.
        side: of the input in training, in pixels.
        weights: of the four terms.
        gate: weight of a fifth term, see :func:`baselines.wwbl.loss.disagreement`; the authors' 0.
        pairs: see :func:`baselines.wwbl.losses`; ``all`` is the authors'.
        pixels: see :class:`baselines.wwbl.teacher.ClipTeacher`; ``network`` is the authors'.
        flip: what a mirrored image does to its text. ``image``: nothing, as the authors have it. ``both``: left and
            right change places in the text too, which is known to be true of drawn scenes only. ``none``: no image is
            mirrored.
        texts: expressions of each image in a step; the authors' 1. With more, CLIP judges the masks of the first alone.
        keep_words: the probability with which each word of a text is kept; 0.8 for the authors' training on COCO's
            captions, 1 for that on Visual Genome.
        optimiser: ``sgd`` or ``adamw``, one group of all parameters.
        lr, momentum, weight_decay: of it.
        schedule: ``constant``, or ``cosine`` to 0.
        warmup: steps until the rate is whole.
        channels_last: the memory format of the network; quicker in bf16 on a CPU.
    """

    teacher: str = "ViT-B-32.pt"
    vgg: str | None = None
    network: WWbLConfig = field(default_factory=WWbLConfig)
    side: Count = 304
    weights: WWbLWeights = field(default_factory=WWbLWeights)
    gate: Rate = 0.0
    pairs: Pairs = "all"
    pixels: Pixels = "network"
    flip: Literal["image", "both", "none"] = "image"
    texts: Count = 1
    keep_words: Share = 1.0
    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: Rate = 1.2e-3
    momentum: Share = 0.9
    weight_decay: Rate = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Number = 0
    channels_last: bool = False


class Captioned(NamedTuple):
    """This rank's images of a step, and their texts.

    Attributes:
        pending: uint8 ``(S, S, 3)`` each, under way.
        texts: in their prompt, those of an image in a row.
        mirrored: which images are mirrored, left to right.
    """

    pending: list[Future[np.ndarray]]
    texts: list[str]
    mirrored: list[bool]


class CaptionOrder:
    """The images and texts of every step, which depend on the seed and the step alone.

    Attributes:
        an_epoch: steps of an epoch; images that do not fill a batch are left out, as the authors do.
    """

    def __init__(self, split: Split, recipe: WWbLRecipe):
        groups = list(split.by_image())
        self.an_epoch = max(1, len(groups) // recipe.batch)
        self._texts = [[sample.text for sample in group] for group in groups]
        self._photographs = Photographs([group[0].image_path for group in groups], recipe.side)
        self._recipe = recipe

    def start(self, step: int) -> Captioned:
        """Begin to read the images of a step, and draw its texts."""
        recipe = self._recipe
        epoch, place = divmod(step, self.an_epoch)
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(self._texts))
        chosen = np.resize(order[place * recipe.batch : (place + 1) * recipe.batch], recipe.batch)
        mine = chosen[rank() :: world()].tolist()
        texts, mirrored = [], []
        for at in mine:
            draw = np.random.default_rng((recipe.seed, epoch, at))
            own = self._texts[at]
            turned = recipe.flip != "none" and bool(draw.random() < 0.5)
            mirrored.append(turned)
            for place in np.resize(draw.permutation(len(own)), recipe.texts).tolist():
                text = own[place]
                if recipe.keep_words < 1:
                    text = " ".join(word for word in text.split() if draw.random() < recipe.keep_words)
                texts.append(exchange(text) if turned and recipe.flip == "both" else text)
        prompted = [recipe.network.prompt.replace("{}", text) for text in texts]
        return Captioned(self._photographs.start(mine), prompted, mirrored)

    def images(self, batch: Captioned) -> Tensor:
        """uint8 ``(B, S, S, 3)``, mirrored."""
        images = self._photographs.take(batch.pending)
        images[batch.mirrored] = images[batch.mirrored, :, ::-1]
        return torch.from_numpy(images)


class WWbLTrainer:
    """See :class:`baselines.train.fitting.RivalTrainer`."""

    def __init__(self, recipe: WWbLRecipe, device: torch.device, data_root: Path | None):
        opened = open_clip(recipe.teacher, str(device), "--set teacher=FILE")
        config = replace(recipe.network, **origin(opened))
        check_clip(opened, config)
        with building(TABLE):
            network = started(replace(recipe, network=config))
        network = network.to(device).train()
        if recipe.channels_last:
            network = network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.network: nn.Module = network
        learning = [weight for weight in network.parameters() if weight.requires_grad]
        if recipe.optimiser == "sgd":
            self.optimiser: torch.optim.Optimizer = torch.optim.SGD(
                learning, recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay
            )
        else:
            self.optimiser = torch.optim.AdamW(learning, recipe.lr, weight_decay=recipe.weight_decay)
        for group in self.optimiser.param_groups:
            group["initial_lr"] = recipe.lr
        split = load_split(recipe.split, data_root)
        self._order = CaptionOrder(split if recipe.limit is None else split.first_images(recipe.limit), recipe)
        self.an_epoch = self._order.an_epoch
        self.metadata: Mapping[str, str] = {"config": config.to_json()}
        self._teacher = ClipTeacher(opened, recipe.pixels)
        self._recipe, self._device = recipe, device

    def start(self, step: int) -> Captioned:
        """Begin to read a step's images."""
        return self._order.start(step)

    def losses(self, learner: Any, data: Captioned, step: int) -> tuple[dict[str, Tensor], int]:
        """The four terms, and how many images they are of."""
        recipe, teacher = self._recipe, self._teacher
        images = normalised(self._order.images(data).to(self._device))
        text = teacher.text(data.texts)
        with autocast(recipe.precision, self._device):
            shown = teacher.input(images)
            relevance = teacher.relevance(shown, text)
            maps, gates = learner(images, text, with_gate=True)
            foreground, background = (teacher.features(part) for part in masked(shown, maps[:: recipe.texts]))
        rows = [gather(part.float()) for part in (foreground, background, text[:: recipe.texts])]
        terms = losses(maps.float(), relevance, *rows, weights=recipe.weights, pairs=recipe.pairs, side=teacher.side)
        if recipe.gate:
            terms["gate"] = recipe.gate * disagreement(gates.float(), relevance)
            terms["loss"] = terms["loss"] + terms["gate"]
        return terms, len(images)

    def rate(self, step: int, total: int) -> float:
        """Of the schedule."""
        warm = min(1.0, (step + 1) / (self._recipe.warmup + 1))
        return warm if self._recipe.schedule == "constant" else warm * (1 + math.cos(math.pi * step / total)) / 2

    def method(self, weights: Path) -> Method:
        """WWbL with these weights."""
        from .method import make

        return make(weights=str(weights), clip=self._recipe.teacher, device=str(self._device))


def started(recipe: WWbLRecipe) -> WWbLNetwork:
    """The network before it learns.

    The authors': the trunk from ImageNet, the decoder as torch draws it. Without ImageNet the trunk is drawn for ReLUs,
    and the last convolution, which has one channel behind a ReLU, begins positive and low: what the ReLU cuts off is
    then the background. Where torch draws it negative, the object is cut off, its map is flat, and no point is highest.

    Raises:
        UsageError: there is no file of VGG16.
        DataError: it is no VGG16.
    """
    torch.manual_seed(recipe.seed)
    network = WWbLNetwork(recipe.network)
    layers = network.E.Org_model
    if recipe.vgg is None:
        for layer in layers:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        last = network.D.up1.conv2
        with torch.no_grad():
            last.weight.abs_()
            nn.init.constant_(last.bias, LOW)  # pyright: ignore[reportArgumentType] - it has one
        return network
    path = Path(recipe.vgg)
    if not path.is_file():
        raise missing(path, f"get {VGG16} and pass --set vgg=FILE, or --set vgg=none to draw the trunk")
    state = read(path).state
    wanted = {key: state[f"features.{key}"] for key in layers.state_dict() if f"features.{key}" in state}
    if not wanted:
        raise DataError(f"{path} is no VGG16 of torchvision: it has no key features.0.weight; get {VGG16}")
    fill(layers, wanted, f"{path} as the trunk of torchvision's VGG16")
    return network


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
    """Train WWbL.

    Args:
        recipe: a name or a TOML file with a table ``wwbl``.
        out: folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``; under ``torchrun`` each process has its own card.
        data_root: where the data lie.
        stage: there is none.
        overwrite: train anew where ``out`` holds a training by another recipe, which is refused otherwise.
        options: changes to the recipe, ``lr=…`` or ``weights.area=…``.

    Returns:
        The weights, ``OUT/wwbl.safetensors``.
    """
    if stage is not None:
        raise UsageError("wwbl trains in one piece; leave --stage out")
    made = one(WWbLRecipe, recipe, TABLE, options, FOLDER)
    root = None if data_root is None else Path(data_root)
    with torchrun(device) as place_name:
        place = pick(place_name)
        return fit(TABLE, made, lambda: WWbLTrainer(made, place, root), Path(out), place, root, overwrite=overwrite)


train.recipes = names(TABLE, FOLDER)  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
