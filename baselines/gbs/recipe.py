"""What a recipe of GbS decides: a frozen record of its numbers, whose defaults are the authors'."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Literal

from tris_model.ranges import Count, Number, Positive, Rate, Share

from ..train.fitting import TrainingRecipe
from .config import GbsConfig
from .objective import GbsWeights
from .trunk import TrunkRecipe, TrunkStage


@dataclass(frozen=True, slots=True)
class ObjectsRecipe:
    """How a network that starts from nothing learns on pictures of one object each, before it is shown scenes.

    Attributes:
        pictures: how many are drawn; 0 leaves this stage out.
        epochs: how often each is shown.
        batch: pairs in a step.
        scale: side of such a picture, in sides of a scene.
    """

    pictures: Number = 0
    epochs: Count = 4
    batch: Count = 16
    scale: Positive = 2 / 3


@dataclass(frozen=True, slots=True)
class GbsRecipe(TrainingRecipe):
    """Everything that decides a training; the defaults are the authors'.

    Attributes:
        batch: pairs of images in a step, of all ranks together.
        network: sizes, and how images are shown at evaluation.
        side: of the input in training, in pixels.
        weights: of the terms.
        vgg: torchvision's VGG16 with BatchNorm of ImageNet, from which the trunk starts; None draws it.
        trunk: what a drawn trunk learns first, see :mod:`baselines.gbs.trunk`; the authors' starts from ImageNet.
        objects: the stage after it, see :class:`ObjectsRecipe`; the authors have none.
        bert: the file or folder of Hugging Face's that encodes words, and that does not learn; None draws a BERT, which
            learns with the rest.
        vocab: BERT's vocabulary; None looks beside ``bert``, or takes the words of the split for a BERT that is drawn.
        gate: what the first weights of the gates' text side are multiplied by; the authors' 1. Torch draws them so
            small that all texts open a gate nearly alike.
        texts: expressions of each image in a step, an epoch showing each image once. 0, the authors' way: every
            expression is a sample of its own, with its image.
        shown: what is done to images. ``cropped``, as the authors do: a square of 70 to 100 % of the image's area (or
            the largest one in its middle), mirrored left to right at random without a change of the text, and one in
            ten grey. ``mirrored``: the whole image squashed to a square, mirrored along both axes at random, with the
            words of the text exchanged, which is known to be right of drawn scenes only.
        drop_words: the probability with which a word of a text is left out; of texts that lose all, it is drawn again.
            The authors' default is 0: it reads ``drop:0.5``, but their program takes it letter by letter, and drops
            nothing unless it is given on the command line. 0.5 is what was meant.
        optimiser: ``adam``, or ``adamw``, whose weight decay is apart from the rates.
        lr, backbone_lr, text_lr: of the image network, of its trunk, and of a BERT that learns.
        weight_decay: of all weights that learn.
        schedule: ``steps``: the rates fall to a tenth every ``step`` steps. ``cosine``: to 0.
        step: see there.
        warmup: steps until the rates are whole; the authors have none.
        sync_bn: BatchNorms count over all GPUs; an option of the authors', off by default.
        channels_last: the memory format of the image network; quicker in bf16 on a CPU.
    """

    batch: Count = 3
    epochs: Count = 10
    network: GbsConfig = field(default_factory=GbsConfig)
    side: Count = 512
    weights: GbsWeights = field(default_factory=GbsWeights)
    vgg: str | None = None
    trunk: TrunkRecipe = field(default_factory=TrunkRecipe)
    objects: ObjectsRecipe = field(default_factory=ObjectsRecipe)
    bert: str | None = None
    vocab: str | None = None
    gate: Positive = 1.0
    texts: Number = 0
    shown: Literal["cropped", "mirrored"] = "cropped"
    drop_words: Share = 0.0
    optimiser: Literal["adam", "adamw"] = "adam"
    lr: Rate = 1e-4
    backbone_lr: Rate = 1e-4
    text_lr: Rate = 1e-4
    weight_decay: Rate = 1e-9
    schedule: Literal["steps", "cosine"] = "steps"
    step: Count = 50_000
    warmup: Number = 0
    sync_bn: bool = False
    channels_last: bool = False

    def first_stage(self) -> TrunkStage:
        """The recipe of the first stage: what is shared, and the numbers of its own table."""
        shared = {part.name: getattr(self, part.name) for part in fields(TrainingRecipe)}
        own = {"epochs": self.trunk.epochs, "batch": self.trunk.batch, "val": None, "select": "last", "limit": None}
        return TrunkStage(
            **{**shared, **own},
            widths=self.network.widths,
            side=self.side,
            pictures=max(1, self.trunk.pictures),
            lr=self.trunk.lr,
            weight_decay=self.weight_decay,
        )

    def second_stage(self) -> GbsRecipe:
        """The recipe of the stage of single objects: its own number of epochs and pairs, and nothing to score on."""
        return replace(self, epochs=self.objects.epochs, batch=self.objects.batch, val=None, select="last")
