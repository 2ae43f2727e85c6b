"""AMR's training: ``risbench train amr --recipe shapes``. First the CAM network, then both branches.

1. ``cam``: one plain branch learns which classes an image shows, from the mean of its features.
2. ``amr``: that branch stands still, and the modulated one learns beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbench import UsageError, load_split
from risbench.datasets.images import read_image
from tris_model.devices import autocast, pick
from tris_model.files import fill
from tris_model.tiny_clip import drawn_pictures
from tris_model.train import building, names, one
from tris_model.train.loop import torchrun

from ..train.fitting import fit
from .labelled import Augmentation, ShownImages, labelled_images
from .loss import losses
from .method import make
from .network import AmrNetwork, CamNetwork, class_names, freeze_stem, set_live
from .recipe import AmrRecipe, CamStage, ImageRecipe
from .weights_file import IMAGENET, fill_trunk, load_cam, load_imagenet

FOLDER = Path(__file__).parent / "recipes"
TABLE = "amr"
STAGES = ("cam", "amr")


def train(
    recipe: str,
    *,
    out: str | Path,
    device: str = "auto",
    stage: Literal["cam", "amr"] | None = None,
    data_root: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Train AMR, or a stage of it. Its supervision is the classes that an image shows, and nothing else.

    Args:
        recipe: a name or a TOML file with a table ``amr``.
        out: folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``; under ``torchrun`` each process has its own.
        stage: ``cam`` or ``amr``; both by default.
        data_root: where the data lie.
        overwrite: train anew where ``out`` holds a training by another recipe, which is refused otherwise.
        options: changes to the recipe, ``rate2=…`` or ``cam.epochs=…``.

    Returns:
        The weights, ``OUT/amr.safetensors``, or ``OUT/amr_cam.safetensors`` after the first stage alone.

    Raises:
        UsageError: a stage that does not exist, or that needs the first; a wrong recipe; a file that is not there.
        DataError: data or a file that cannot be used, or a training in ``out`` by another recipe.
    """
    if stage is not None and stage not in STAGES:
        raise UsageError(f"--stage is one of {', '.join(STAGES)}, not {stage!r}")
    own = one(AmrRecipe, recipe, TABLE, options, FOLDER)
    if own.long[0] > own.long[1]:
        raise UsageError(f"{TABLE}.long={own.long[0]},{own.long[1]}: give the smaller number first")
    if own.trunk == "imagenet" and own.imagenet is None:
        raise UsageError(
            f"{TABLE} starts from ImageNet's weights: get {IMAGENET} and pass --set imagenet=FILE (or, for a small "
            "network, --set trunk=drawn)"
        )
    root, folder = None if data_root is None else Path(data_root), Path(out)
    with torchrun(device) as place:
        where, cam = pick(place), folder / "amr_cam.safetensors"
        if own.cam.start is None and stage in (None, "cam"):
            first = own.first_stage()
            fit("amr_cam", first, lambda: CamTrainer(first, where, root), folder, where, root, overwrite=overwrite)
        if stage == "cam":
            if own.cam.start is not None:
                raise UsageError(f"cam.start={own.cam.start} is the first stage's network; leave it out to train one")
            return cam
        return fit(TABLE, own, lambda: AmrTrainer(own, cam, where, root), folder, where, root, overwrite=overwrite)


class CamTrainer:
    """The first stage, for the loop; see :class:`baselines.train.fitting.RivalTrainer`."""

    def __init__(self, recipe: CamStage, device: torch.device, root: Path | None):
        torch.manual_seed(recipe.seed)
        with building(TABLE):
            network = CamNetwork(recipe.network)
        if recipe.trunk == "imagenet":
            fill_trunk(
                network.resnet50, load_imagenet(str(recipe.imagenet)), f"{recipe.imagenet} as the recipe's trunk"
            )
            freeze_stem(network.resnet50)
        set_live(network, recipe.trunk == "drawn")
        self.network: nn.Module = network.to(device, memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
        rates = ((network.resnet50, recipe.cam.rate), (network.classifier, recipe.cam.head_rate))
        self.optimiser: torch.optim.Optimizer = _sgd(recipe, rates)
        self.metadata: Mapping[str, str] = {"config": recipe.network.to_json()}
        self._recipe, self._device = recipe, device
        self._images = _shown(recipe, root, recipe.cam.holes)
        self._objects = _objects(recipe, self._images.an_epoch * recipe.batch) if recipe.cam.objects else None
        self.an_epoch = self._images.an_epoch

    def start(self, step: int) -> Any:
        """Begin to make the images of a step, of single objects or of the split."""
        return self._of(step).start(step)

    def _of(self, step: int) -> ShownImages:
        if self._objects is not None and step < self._recipe.cam.objects * self.an_epoch:
            return self._objects
        return self._images

    def losses(self, learner: Any, data: Any, step: int) -> tuple[dict[str, Tensor], int]:
        """The loss of a batch: how badly its classes are recognised."""
        images, labels = (torch.from_numpy(part).to(self._device) for part in self._of(step).take(data))
        with autocast(self._recipe.precision, self._device):
            logits = learner(images)
        return {"loss": F.multilabel_soft_margin_loss(logits.float(), labels)}, len(images)

    def rate(self, step: int, total: int) -> float:
        """The authors' polynomial decay, which begins at the whole rate."""
        return (1 - step / total) ** self._recipe.power

    def method(self, weights: Path) -> Any:
        """A network of one branch is no method: the first stage is not scored."""
        raise NotImplementedError


class AmrTrainer:
    """The second stage, for the loop; see :class:`baselines.train.fitting.RivalTrainer`."""

    def __init__(self, recipe: AmrRecipe, cam: Path, device: torch.device, root: Path | None):
        torch.manual_seed(recipe.seed)
        if recipe.cam.start is None and not cam.is_file():
            raise UsageError(f"{cam} is missing, and AMR starts from it; run --stage cam first, or give cam.start")
        first = load_cam(recipe.cam.start or cam).state_dict()
        with building(TABLE):
            network = AmrNetwork(recipe.network)
        trunk = {key.removeprefix("resnet50."): value for key, value in first.items() if key.startswith("resnet50.")}
        fill_trunk(network.resnet50, trunk, "the CAM network as the recipe's trunk")
        head = {"weight": first["classifier.weight"]}
        fill(network.classifier, head, "the CAM network's classifier as the recipe's")
        if recipe.trunk == "imagenet":
            trunk = load_imagenet(str(recipe.imagenet))
        fill_trunk(network.resnet50_2, trunk, f"{recipe.imagenet or 'the CAM network'} as the recipe's trunk")
        if recipe.trunk == "drawn":
            fill(network.classifier2, head, "the CAM network's classifier as the recipe's")
        # What gets no gradient, see `AmrNetwork.forward`; torch's SGD lets it be, weight decay included.
        for part in (network.resnet50, network.resnet50_2.conv1, network.resnet50_2.bn1, network.resnet50_2.layer1):
            part.requires_grad_(False)
        self.network: nn.Module = network.to(device, memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
        heads = nn.ModuleList([network.classifier, network.classifier2])
        rates = ((network.resnet50, recipe.rate1), (network.resnet50_2, recipe.rate2), (heads, recipe.head_rate))
        self.optimiser: torch.optim.Optimizer = _sgd(recipe, rates)
        self.metadata: Mapping[str, str] = {"config": recipe.network.to_json()}
        self._recipe, self._device = recipe, device
        self._images = _shown(recipe, root, holes=0)
        self.an_epoch = self._images.an_epoch

    def start(self, step: int) -> Any:
        """Begin to make the images of a step."""
        return self._images.start(step)

    def losses(self, learner: Any, data: Any, step: int) -> tuple[dict[str, Tensor], int]:
        """See :func:`baselines.amr.losses`."""
        images, labels = (torch.from_numpy(part).to(self._device) for part in self._images.take(data))
        with autocast(self._recipe.precision, self._device):
            terms = losses(learner, images, labels, quirks=self._recipe.quirks)
        return terms, len(images)

    def rate(self, step: int, total: int) -> float:
        """The authors' polynomial decay, which begins at the whole rate."""
        return (1 - step / total) ** self._recipe.power

    def method(self, weights: Path) -> Any:
        """The method with these weights and its defaults."""
        return make(weights=str(weights), device=str(self._device))


def _sgd(recipe: ImageRecipe, rates: Any) -> torch.optim.SGD:
    groups = [{"params": list(part.parameters()), "lr": rate, "initial_lr": rate} for part, rate in rates]
    return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


def _shown(recipe: ImageRecipe, root: Path | None, holes: int) -> ShownImages:
    """The images of the recipe's split."""
    split = load_split(recipe.split, root)
    split = split if recipe.limit is None else split.first_images(recipe.limit)
    paths, labels = labelled_images(split, recipe.network.classes)
    how = Augmentation(recipe.long, recipe.crop, holes, recipe.hole)
    return ShownImages(lambda place: read_image(paths[place]), labels, how, batch=recipe.batch, seed=recipe.seed)


def _objects(recipe: CamStage, count: int) -> ShownImages:
    """As many drawn pictures of one object as an epoch has images."""
    if recipe.network.classes != "shapes":
        raise UsageError("cam.objects draws shapes; with other classes leave cam.objects out")
    size = recipe.crop * 2 // 3
    drawn = drawn_pictures("objects", count, 0, size)
    places: Mapping[str, int] = {name: place for place, name in enumerate(class_names("shapes"))}
    labels = np.zeros((count, len(places)), np.float32)
    for at, things in enumerate(drawn.things):
        labels[at, [places[thing.shape] for thing in things]] = 1
    how = Augmentation((size * 3 // 4, size), size)
    return ShownImages(lambda place: drawn.images[place], labels, how, batch=recipe.batch, seed=recipe.seed)


train.recipes = names(TABLE, FOLDER)  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
