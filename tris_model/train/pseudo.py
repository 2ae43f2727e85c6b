"""Make pseudo masks for stage 2 from stage 1's maps by IRN.

The steps are: confident labels from every map; a network that learns edges from them; a walk that spreads every map up
to these edges. Each step writes one file per ref and skips existing files, so that a killed run can continue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from risbench.datasets.images import read_image
from risbench.errors import DataError, UsageError
from risbench.machine import processors

from ..clip.trunk import Trunk
from ..files.checkpoint import digest, load
from ..irn.feed import LabelFolder
from ..irn.items import write_each
from ..irn.labels import BACKGROUND_BELOW, OBJECT_ABOVE, write_labels
from ..irn.masks import THRESHOLD, read_mask, write_masks
from ..irn.network import EdgeDisplacement
from ..irn.network import load as load_irn
from ..irn.recipe import Recipe, check
from ..irn.train import NETWORK, Step, train
from ..irn.trunks import RESNET50, ClipTrunk, FiveDepthResNet, FiveDepths
from ..irn.walk import Walk
from ..ranges import Count, Seed, Share
from .loop.finished import settle_head
from .loop.journal import Journal, Stopped, bar, interruptible
from .loop.ranks import any_rank, rank
from .loop.sharing import share
from .maps import Chosen, heat_of
from .refs import Refs

PIECE = 16  # images; what a process does at a time
HOLDS = "pseudo masks of other maps or another recipe"


@dataclass(frozen=True, slots=True)
class PseudoRecipe:
    """All settings of the pseudo masks and of the choice of maps; the defaults are the authors'.

    Attributes:
        prms: choose among the maps of a ref's sentences; if false, use the first sentence's map (an ablation).
        irn: refine maps by IRN; if false, the mask is the map above ``plain`` (an ablation).
        refs: number of refs that get a map and a mask, and that stage 2 learns from; all by default.
        learn: number of these refs that IRN learns from; only they need confident labels. All by default. A tiny IRN
            needs only some hundred, and labels cost more than a walk.
        seed: decides which refs are used.
        trunk: IRN's image encoder: ``imagenet``, torchvision's ResNet-50, or ``stage1``, the trunk of that network.
        imagenet: torchvision's weights file.
        above, below: see :func:`tris_model.irn.labels.confident`.
        train: the recipe of IRN's training.
        walk: settings of the walk.
        threshold: threshold of a refined map, as a fraction of its maximum.
        plain: threshold of an unrefined map, in the same unit; 0 is stage 1's own threshold.
        processes: number of processes on the CPU, by default one per core. It changes no result.
    """

    prms: bool = True
    irn: bool = True
    refs: Count | None = None
    learn: Count | None = None
    seed: Seed = 1234
    trunk: Literal["imagenet", "stage1"] = "imagenet"
    imagenet: str | None = None
    above: Share = OBJECT_ABOVE
    below: Share = BACKGROUND_BELOW
    train: Recipe = field(default_factory=Recipe)
    walk: Walk = field(default_factory=Walk)
    threshold: Share = THRESHOLD
    plain: Share = 0.0
    processes: Count | None = None


@dataclass(frozen=True, slots=True)
class MapItem:
    """A ref with its chosen map, as an item of IRN; see :class:`tris_model.irn.items.Item`."""

    name: str
    picture: Path
    response: np.ndarray
    stride: int

    def image(self) -> np.ndarray:
        """uint8 ``(H, W, 3)``."""
        return read_image(self.picture)

    def heat(self) -> np.ndarray:
        """float32 ``(H, W)`` in [0, 1]."""
        with Image.open(self.picture) as image:
            return heat_of(self.response, self.stride, (image.height, image.width))


def check_ahead(recipe: PseudoRecipe) -> None:
    """Check now what would otherwise fail hours later, after the training of stage 1.

    Raises:
        UsageError: IRN's recipe is not valid, or its trunk's file does not exist.
        DataError: the file holds another network.
    """
    if recipe.irn:
        check(recipe.train, 1)
        if recipe.trunk == "imagenet" and (recipe.imagenet is None or not Path(recipe.imagenet).is_file()):
            raise UsageError(
                f"there is no file {recipe.imagenet}; IRN needs ImageNet's ResNet-50: get {RESNET50} and set "
                "pseudo.imagenet to the file"
            )
        if recipe.trunk == "imagenet":
            FiveDepthResNet(recipe.imagenet)


def items_of(refs: Refs, chosen: Chosen, stride: int) -> list[MapItem]:
    """The refs that have a map, in their order, named like the authors' files: ``<index>_<image>``."""
    return [
        MapItem(name_of(refs, at), refs.paths[refs.refs[at].image], response, stride)
        for at, response in zip(chosen.refs.tolist(), chosen.response, strict=True)
    ]


def name_of(refs: Refs, at: int) -> str:
    """The name of a ref's files."""
    return f"{at}_{refs.paths[refs.refs[at].image].stem}"


def make_masks(
    recipe: PseudoRecipe, weights: Path, items: Sequence[MapItem], origin: Mapping[str, Any], out: Path,
    device: torch.device, *, overwrite: bool = False,
) -> Path:  # fmt: skip
    """Make the pseudo mask of every item.

    Args:
        recipe: all settings.
        weights: the weights of stage 1, for its trunk.
        items: the items, from :func:`items_of`.
        origin: identifies the maps, as a JSON value; a folder of other maps is refused.
        out: the output folder, for ``pseudo/`` with ``labels``, IRN's network and ``masks``.
        device: the device to compute on.
        overwrite: remove masks of other maps or another recipe instead of refusing them.

    Returns:
        The folder ``OUT/pseudo/masks``; :func:`mask_of` reads it.

    Raises:
        DataError: the folder holds masks of other maps or another recipe.
    """
    folder = out / "pseudo"
    masks = folder / "masks"
    settle_head(folder / "head.json", head_of(recipe, origin), HOLDS, overwrite=overwrite)
    if all((masks / f"{item.name}.png").exists() for item in items):
        return masks
    count = 1 if device.type == "cuda" else recipe.processes or processors()
    pieces = _pieces(items)
    if not recipe.irn:
        share("masks", partial(_cut, folder=masks, above=recipe.plain), pieces, count)
        return masks
    some = _some(pieces, recipe.learn, recipe.seed)
    labels = partial(write_labels, folder=folder / "labels", above=recipe.above, below=recipe.below, device=device)
    share("labels", labels, some, count)
    _learn(recipe, weights, [*chain.from_iterable(some)], folder, device)
    sha256 = digest(folder / NETWORK)
    walk = partial(_walk, recipe=recipe, weights=weights, folder=folder, device=str(device), sha256=sha256)
    share("masks", walk, pieces, count)
    return masks


def head_of(recipe: PseudoRecipe, origin: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The content of ``pseudo/head.json``: the maps and the recipe of the masks.

    ``processes`` is left out, as it changes no result.
    """
    return {**({"maps": origin} if origin else {}), "recipe": {**asdict(recipe), "processes": None}}


def mask_of(folder: Path, refs: Refs, places: Sequence[int]) -> Callable[[int], np.ndarray]:
    """Returns the function by which stage 2 reads the pseudo mask of a ref by its index.

    Raises:
        DataError: some masks are missing.
    """
    found = sum((folder / f"{name_of(refs, at)}.png").exists() for at in places)
    if found < len(places):
        raise DataError(f"{folder} has masks of {found} of {len(places)} refs; run the stage 'labels' again")
    return lambda at: read_mask(folder, name_of(refs, at))


def _pieces(items: Sequence[MapItem]) -> list[list[MapItem]]:
    """Group items by image, because they share the work on it."""
    by_image = sorted(items, key=lambda item: item.picture)
    groups = [list(group) for _, group in groupby(by_image, key=lambda item: item.picture)]
    return [[*chain.from_iterable(groups[at : at + PIECE])] for at in range(0, len(groups), PIECE)]


def _some(pieces: list[list[MapItem]], count: int | None, seed: int) -> list[list[MapItem]]:
    """Pieces drawn by the seed until they have ``count`` items together, or all pieces."""
    some: list[list[MapItem]] = []
    for at in np.random.default_rng(seed).permutation(len(pieces)) if count is not None else range(len(pieces)):
        left = None if count is None else count - sum(map(len, some))
        some.append(pieces[at][:left])
    return [piece for piece in some if piece]


def _cut(items: Sequence[MapItem], folder: Path, above: float) -> None:
    write_each(items, folder, lambda some: [(one.heat() > np.float32(above)).astype(np.uint8) * 255 for one in some])


def _learn(recipe: PseudoRecipe, weights: Path, items: Sequence[MapItem], folder: Path, device: torch.device) -> None:
    """Train IRN on one rank; the others wait."""
    stop = False
    if rank() == 0:
        data = LabelFolder(items, folder / "labels")
        journal, begun = Journal(folder), False
        with bar("irn", check(recipe.train, len(items))) as on_progress, interruptible() as stopping:

            def tell(step: Step) -> None:
                nonlocal begun
                terms = asdict(step)
                number = terms.pop("number") - 1
                if not begun:  # a continued training does the steps since its last state again
                    journal.forget(number)
                    begun = True
                journal.log(number, **terms)
                on_progress(step.number, f"loss {step.total:.3f}  {step.speed:.0f} images/s")

            workers = min(8, processors()) if device.type == "cuda" else 0
            trunk = trunk_of(recipe, weights)
            try:
                train(data, trunk, folder, recipe.train, device=device, workers=workers, tell=tell, stop=stopping)
            except KeyboardInterrupt:
                stop = True
    if any_rank(stop):
        raise Stopped("irn: stopped; the same command goes on")


def trunk_of(recipe: PseudoRecipe, weights: Path) -> FiveDepths:
    """The image encoder of IRN.

    Raises:
        UsageError: stage 1 has another trunk.
    """
    if recipe.trunk == "imagenet":
        return FiveDepthResNet(recipe.imagenet)
    visual = load(weights).backbone.visual
    if not isinstance(visual, Trunk):
        raise UsageError("pseudo.trunk = stage1 needs a stage 1 with CLIP's trunk; set pseudo.trunk=imagenet")
    return ClipTrunk(visual)


def _walk(
    items: Sequence[MapItem], recipe: PseudoRecipe, weights: Path, folder: Path, device: str, sha256: str
) -> None:
    network = _network(recipe.trunk, recipe.imagenet, weights, folder / NETWORK, device, sha256)
    write_masks(items, folder / "masks", network, threshold=recipe.threshold, how=recipe.walk)


@lru_cache(maxsize=1)
def _network(
    trunk: Literal["imagenet", "stage1"], imagenet: str | None, weights: Path, heads: Path, device: str, sha256: str
) -> EdgeDisplacement:
    """The network, loaded once per process; the hash distinguishes a replaced file."""
    frozen_trunk = trunk_of(PseudoRecipe(trunk=trunk, imagenet=imagenet), weights)
    return load_irn(heads, frozen_trunk).to(device)
