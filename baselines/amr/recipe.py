"""What a recipe of AMR decides: frozen records of its numbers, whose defaults are the authors'."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from tris_model.ranges import Count, Number, Rate

from ..train.fitting import TrainingRecipe
from .loss import Quirks
from .network import AmrConfig


@dataclass(frozen=True, slots=True)
class CamRecipe:
    """The first stage; the defaults are the authors'.

    Attributes:
        start: a CAM network that is there already; then this stage is not trained.
        epochs: how often the split is seen.
        objects: the first so many epochs see pictures of one object, drawn on seeds that belong to no split, in place
            of the split's. In the drawn world they stand for ImageNet.
        rate, head_rate: of the trunk and of the classifier.
        holes: see :class:`.labelled.Augmentation`.
    """

    start: str | None = None
    epochs: Count = 8
    objects: Number = 0
    rate: Rate = 0.01
    head_rate: Rate = 0.1
    holes: Number = 3


@dataclass(frozen=True, slots=True)
class ImageRecipe(TrainingRecipe):
    """What both stages share; the defaults are the authors'.

    Attributes:
        network: sizes and classes.
        trunk: what a trunk starts from. ``imagenet``, the file of that name, in both branches, as the authors.
            ``drawn``, drawn weights in the first stage, whose BatchNorms are then ordinary ones; the modulated branch
            starts from what the first stage learnt.
        imagenet: torchvision's file of a ResNet.
        long, crop, hole: see :class:`.labelled.Augmentation`.
        quirks: ``authors`` has SGD's momentum at the weight decay, whose value lands in its place in their program, and
            compares the maps of two images of a batch (see :func:`baselines.amr.losses`); ``repaired`` has a momentum
            of 0.9, and compares all images.
        weight_decay: of all weights that learn.
        power: of ``(1 - step / steps) ** power``, by which all rates fall.
    """

    batch: Count = 16
    epochs: Count = 8
    network: AmrConfig = field(default_factory=AmrConfig)
    trunk: Literal["imagenet", "drawn"] = "imagenet"
    imagenet: str | None = None
    long: tuple[Count, Count] = (320, 640)
    crop: Count = 512
    hole: Count = 128
    quirks: Quirks = "authors"
    weight_decay: Rate = 1e-4
    power: Rate = 0.9

    @property
    def momentum(self) -> float:
        """Of SGD."""
        return self.weight_decay if self.quirks == "authors" else 0.9


@dataclass(frozen=True, slots=True)
class CamStage(ImageRecipe):
    """The first stage's recipe as a whole."""

    cam: CamRecipe = field(default_factory=CamRecipe)


@dataclass(frozen=True, slots=True)
class AmrRecipe(ImageRecipe):
    """Everything that decides AMR.

    Attributes:
        cam: the first stage.
        rate1, rate2, head_rate: of the plain branch (which gets no gradient), of the modulated one and of the two
            classifiers.
    """

    cam: CamRecipe = field(default_factory=CamRecipe)
    rate1: Rate = 0.01
    rate2: Rate = 0.1
    head_rate: Rate = 0.01

    def first_stage(self) -> CamStage:
        """The recipe of the first stage: what is shared, and the epochs of its own table; gradients are not clipped."""
        shared = {part.name: getattr(self, part.name) for part in fields(ImageRecipe)}
        return CamStage(
            **{**shared, "epochs": self.cam.epochs, "clip": 0.0, "val": None, "select": "last", "cam": self.cam}
        )
