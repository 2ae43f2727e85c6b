"""GbS's training: ``risbench train gbs --recipe NAME``. Images and texts about them, and nothing else.

Two images are blended by a random alpha map. Under a text of one of them the network learns to say where that one is
seen; under a text of another pair, that nothing is there; and without a text, that it does not know.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from risbench import DataError, Method, UsageError, load_split
from tris_model.devices import autocast, pick
from tris_model.files import fill, missing, read
from tris_model.train import building, names, one
from tris_model.train.loop import torchrun, world

from .._bert import WordPiece, draw_weights, find_vocabulary, load_bert
from ..train.fitting import fit
from .captions import tokenize
from .config import GbsConfig
from .model import GbsModel
from .network import GbsLevels, TextGate
from .objects import ObjectPairs
from .pairs import PairOrder
from .recipe import GbsRecipe
from .trunk import TrunkTrainer, draw_trunk

FOLDER = Path(__file__).parent / "recipes"
TABLE = "gbs"
VGG16_BN = "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth"
FALL = 0.1  # of the rates, every so many steps


class GbsTrainer:
    """What :func:`baselines.train.fitting.fit` needs; see :class:`baselines.train.fitting.RivalTrainer`."""

    def __init__(
        self,
        recipe: GbsRecipe,
        device: torch.device,
        data_root: Path | None = None,
        first: Path | None = None,
        *,
        objects: bool = False,
    ):
        """Begin.

        Args:
            recipe: what decides the training.
            device: of the batches.
            data_root: where the data lie.
            first: weights of the stage before, from which this one starts.
            objects: show pictures of one object each, and not the split's images.
        """
        self._recipe, self._device = recipe, device
        split = load_split(recipe.split, data_root)
        split = split if recipe.limit is None else split.first_images(recipe.limit)
        self._words = vocabulary_of([sample.text for sample in split], recipe)
        if recipe.bert is None:
            # A drawn BERT knows the words of the split.
            sizes = replace(recipe.network.bert, vocabulary=len(self._words))
        else:
            sizes = load_bert(recipe.bert).sizes
        config = replace(recipe.network, bert=sizes)
        if recipe.side < config.smallest:
            raise UsageError(f"{TABLE}.side is {recipe.side}; give {config.smallest} or more")
        model = started(config, recipe, first)
        if recipe.sync_bn and world() > 1 and device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
            assert isinstance(model, GbsModel)
        if recipe.channels_last:
            model.image_model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._longest = sizes.positions
        self._model = model.to(device).train()
        self.network: nn.Module = self._model
        self.optimiser = _optimiser(self._model, recipe)
        self.metadata: Mapping[str, str] = {"config": config.to_json(), "vocabulary": json.dumps(self._words.words)}
        self._order: Any
        if objects:
            side = round(recipe.side * recipe.objects.scale)
            own = {"batch": recipe.batch, "texts": recipe.texts, "seed": recipe.seed}
            self._order = ObjectPairs(recipe.objects.pictures, side, **own)
        else:
            self._order = PairOrder(split, recipe)
        self.an_epoch = self._order.an_epoch

    def start(self, step: int) -> Any:
        """Begin to read a step's images and to draw its alphas."""
        return self._order.start(step)

    def losses(self, learner: Any, data: Any, step: int) -> tuple[dict[str, Tensor], int]:
        """See :func:`baselines.gbs.losses`, and the number of images."""
        shown = self._order.take(data)
        texts = tuple(self._tokens(some) for some in shown.texts)
        images = shown.first.to(self._device), shown.second.to(self._device)
        given = dict(zip(("alpha", "alpha1", "alpha2"), (one.to(self._device) for one in shown.alphas), strict=True))
        with autocast(self._recipe.precision, self._device):
            terms = learner(images, texts, **given)
        return terms, 2 * len(shown.first)

    def _tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        ids, mask = tokenize(self._words, texts, self._longest)
        return ids.to(self._device), mask.to(self._device)

    def rate(self, step: int, total: int) -> float:
        """Of the schedule."""
        recipe = self._recipe
        warm = min(1.0, (step + 1) / (recipe.warmup + 1))
        if recipe.schedule == "cosine":
            return warm * (1 + math.cos(math.pi * step / total)) / 2
        return warm * FALL ** (step // recipe.step)

    def method(self, weights: Path) -> Method:
        """GbS with these weights."""
        from .method import make

        return make(weights=str(weights), device=str(self._device))


def started(config: GbsConfig, recipe: GbsRecipe, first: Path | None = None) -> GbsModel:
    """The networks before they learn.

    The authors': the trunk from ImageNet, BERT as it was pre-trained, the rest as torch draws it. A trunk that is drawn
    is drawn for ReLUs, and starts from the first stage where there is one.

    Raises:
        UsageError: there is no file of VGG16 or of BERT.
        DataError: it is something else.
    """
    torch.manual_seed(recipe.seed)
    with building(TABLE):
        model = GbsModel(config, weights=recipe.weights, learns_words=recipe.bert is None)
    with torch.no_grad():
        for gate in model.image_model.conditions:
            assert isinstance(gate, TextGate)
            gate.cap_fc.weight.mul_(recipe.gate)
    trunk = model.image_model.backbone
    if recipe.bert is not None:
        model.bert.load_state_dict(load_bert(recipe.bert).state_dict())
    else:
        draw_weights(model.bert, by_width=True)
    if recipe.vgg is not None:
        _put_vgg(trunk, Path(recipe.vgg))
        return model
    draw_trunk(trunk)
    if first is not None:
        state = read(first).state
        if any(key.startswith("model.") for key in state):
            fill(model, state, f"{first} as the stage before")
        else:
            own = {key.removeprefix("backbone."): value for key, value in state.items() if key.startswith("backbone.")}
            fill(trunk, own, f"{first} as the trunk")
    return model


def _put_vgg(trunk: GbsLevels, path: Path) -> None:
    if not path.is_file():
        raise missing(path, f"get {VGG16_BN} and pass --set vgg=FILE, or --set vgg=none to draw the trunk")
    state = read(path).state
    wanted = {key: state[f"features.{key}"] for key in trunk.layers.state_dict() if f"features.{key}" in state}
    if "features.1.running_mean" not in state:
        raise DataError(
            f"{path} is no VGG16 with BatchNorm of torchvision: it has no key features.1.running_mean; get {VGG16_BN}"
        )
    fill(trunk.layers, wanted, f"{path} as the trunk of torchvision's VGG16 with BatchNorm")


def vocabulary_of(texts: Sequence[str], recipe: GbsRecipe) -> WordPiece:
    """The words that a training reads: those of a file, or all words of its texts, whole, for a BERT that is drawn.

    Raises:
        UsageError: there is no such file.
        DataError: it is no vocabulary, or one of another size.
    """
    if recipe.bert is None and recipe.vocab is None:
        return WordPiece.of_texts(texts)
    beside = None if recipe.bert is None else Path(recipe.bert)
    size = recipe.network.bert.vocabulary if recipe.bert is None else load_bert(recipe.bert).sizes.vocabulary
    return find_vocabulary(TABLE, recipe.vocab, beside, size)


def _optimiser(model: GbsModel, recipe: GbsRecipe) -> torch.optim.Optimizer:
    """Adam in the authors' two groups, the trunk apart from the rest; and a BERT that learns in a third."""
    trunk = set(model.image_model.backbone.parameters())
    rest = [weight for weight in model.image_model.parameters() if weight.requires_grad and weight not in trunk]
    groups = [
        {"params": weights, "lr": rate, "initial_lr": rate}
        for weights, rate in (
            (rest, recipe.lr),
            ([*model.image_model.backbone.parameters()], recipe.backbone_lr),
            ([weight for weight in model.bert.parameters() if weight.requires_grad], recipe.text_lr),
        )
        if weights
    ]
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, betas=(0.9, 0.999), eps=1e-8, weight_decay=recipe.weight_decay)


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
    """Train GbS.

    Args:
        recipe: a name or a TOML file with a table ``gbs``.
        out: folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``; under ``torchrun`` each process has its own card.
        data_root: where the data lie.
        stage: there is none.
        overwrite: train anew where ``out`` holds a training by another recipe, which is refused otherwise.
        options: changes to the recipe, ``lr=…`` or ``weights.negative=…``.

    Returns:
        The weights, ``OUT/gbs.safetensors``.
    """
    if stage is not None:
        raise UsageError("gbs trains in one piece; leave --stage out")
    made = one(GbsRecipe, recipe, TABLE, options, FOLDER)
    root = None if data_root is None else Path(data_root)
    folder, first = Path(out), None
    with torchrun(device) as place_name:
        place = pick(place_name)
        if made.trunk.pictures and made.vgg is None:
            stage1 = made.first_stage()
            first = fit(
                "gbs_trunk", stage1, lambda: TrunkTrainer(stage1, place), folder, place, root, overwrite=overwrite
            )
        if made.objects.pictures:
            second, trunk = made.second_stage(), first

            def build() -> GbsTrainer:
                return GbsTrainer(second, place, root, trunk, objects=True)

            first = fit("gbs_objects", second, build, folder, place, root, overwrite=overwrite)
        return fit(TABLE, made, lambda: GbsTrainer(made, place, root, first), folder, place, root, overwrite=overwrite)


train.recipes = names(TABLE, FOLDER)  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
