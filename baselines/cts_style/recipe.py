"""Everything that decides a training: frozen records, whose defaults are those of TRIS's stage 2 or our own."""

from __future__ import annotations

from dataclasses import dataclass, field

from tris_model import Config
from tris_model.config import STAGE2
from tris_model.ranges import Count, Rate

from ..train.fitting import TrainingRecipe
from .co_teaching import CoTeaching
from .contour_train import ContourRecipe, ContourStage
from .pseudo_masks import MaskRecipe


@dataclass(frozen=True, slots=True)
class NetworkRates:
    """AdamW's; the defaults are those of TRIS's stage 2, for nobody published the paper's.

    Attributes:
        heads: of the decoders and of all that reads words.
        backbone: of CLIP's towers.
        weight_decay: of all that learns.
        power: of ``(1 - step / steps) ** power``, by which both rates fall.
    """

    heads: Rate = 5e-5
    backbone: Rate = 5e-6
    weight_decay: Rate = 1e-2
    power: Rate = 0.9


@dataclass(frozen=True, slots=True)
class CtsRecipe(TrainingRecipe):
    """All three stages; ``batch`` counts images, and an epoch shows each image once.

    Attributes:
        start: the CLIP that both networks start from; their heads are drawn, and differ.
        network: sizes of the heads; those of the towers are CLIP's.
        contour: the first stage.
        masks: the choice of pseudo masks.
        teaching: what the networks pick for each other.
        texts: refs of each image in a step, each with one of its sentences. They share the image's encoding. An image
            with fewer refs shows some of them again.
        text_learns: whether CLIP's text encoder learns; if not, a packed file can leave it out.
        weight: of a pixel of the mask in the cross-entropy; a pixel of the background has 1.
        rates: of AdamW.
        mirror: mirror images, masks and texts at random; only texts of drawn scenes can be mirrored.
        channels_last: the memory format of the networks; quicker in bf16 on a CPU.
    """

    start: str = "RN50.pt"
    network: Config = STAGE2
    batch: Count = 24
    epochs: Count = 15
    contour: ContourRecipe = field(default_factory=ContourRecipe)
    masks: MaskRecipe = field(default_factory=MaskRecipe)
    teaching: CoTeaching = field(default_factory=CoTeaching)
    texts: Count = 2
    text_learns: bool = True
    weight: Rate = 1.0
    rates: NetworkRates = field(default_factory=NetworkRates)
    mirror: bool = False
    channels_last: bool = False

    def first_stage(self) -> ContourStage:
        """The recipe of the contour network: its own table, and the split and the seed of all."""
        own = self.contour
        return ContourStage(
            self.split,
            batch=own.batch,
            epochs=own.epochs,
            limit=own.limit if own.limit is not None else self.limit,
            seed=self.seed,
            contour=own,
        )
