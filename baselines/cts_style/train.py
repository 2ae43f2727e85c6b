"""CTS-style training from boxes alone: ``risbench train cts_style --recipe shapes``.

1. ``contour``: a small network learns a contour map of every box.
2. ``masks``: each object gets the proposal that fits its contour map best as pseudo mask.
3. ``networks``: two segmentation networks learn from the pseudo masks, each from those that its peer finds easy.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbench import Method, UsageError, load_split
from risbench.datasets.shapes import exchange
from tris_model import Stage2, tokenize
from tris_model.clip import normalised
from tris_model.devices import autocast, pick
from tris_model.files import clip_advice, find_clip, start
from tris_model.train import Refs, building, check_split, names, one
from tris_model.train.loop import Ahead, Photographs, rank, torchrun, world

from ..train.fitting import fit
from .boxed import boxed_objects
from .co_teaching import co_teaching_losses, kept_share
from .contour_train import NAME as CONTOUR
from .contour_train import ContourTrainer
from .networks import TwoNetworks, adamw, freeze_unused
from .proposal_file import refuse_absent
from .pseudo_masks import read_mask, write_masks
from .recipe import CtsRecipe
from .weights_file import metadata_of

FOLDER = Path(__file__).parent / "recipes"
TABLE = "cts_style"
STAGES = ("contour", "masks", "networks")
MASKS = "cts_style_masks"


def train(
    recipe: str,
    *,
    out: str | Path,
    device: str = "auto",
    stage: Literal["contour", "masks", "networks"] | None = None,
    data_root: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Train CTS-style, or a stage of it. Its supervision is the boxes of the refs; no mask is read.

    Args:
        recipe: a name or a TOML file with a table ``cts_style``.
        out: folder; an unfinished training in it is continued.
        device: ``auto``, ``cpu`` or ``cuda``; under ``torchrun`` each process has its own.
        stage: ``contour``, ``masks`` or ``networks``, each of which needs those before; all by default.
        data_root: where the data lie.
        overwrite: train anew where ``out`` holds a training by another recipe, which is refused otherwise.
        options: changes to the recipe, ``texts=…`` or ``contour.epochs=…``; ``proposals=FILE`` is short for
            ``masks.proposals=FILE``.

    Returns:
        The weights of both networks, ``OUT/cts_style.safetensors``; or what an earlier stage made,
        ``OUT/cts_style_contour.safetensors`` or the folder ``OUT/cts_style_masks``.

    Raises:
        UsageError: a stage that does not exist, or that needs another first; a wrong recipe; a file that is not there.
        DataError: data or a file that cannot be used, or a training in ``out`` by another recipe.
    """
    if stage is not None and stage not in STAGES:
        raise UsageError(f"--stage is one of {', '.join(STAGES)}, not {stage!r}")
    if "proposals" in options:
        options["masks.proposals"] = options.pop("proposals")
    own = one(CtsRecipe, recipe, TABLE, options, FOLDER)
    if own.teaching.begin > own.teaching.end:
        raise UsageError(f"{TABLE}.teaching.begin is {own.teaching.begin}, which comes after its end")
    root, folder = None if data_root is None else Path(data_root), Path(out)
    check_split(f"{TABLE}.split", own.split, root)
    contour, masks = folder / f"{CONTOUR}.safetensors", folder / MASKS
    # What would otherwise fail hours later, after the masks.
    if own.masks.proposals is not None:
        refuse_absent(Path(own.masks.proposals))
    if stage is None and not (folder / f"{TABLE}.safetensors").exists():
        started(own)
    with torchrun(device) as place:
        where = pick(place)
        if stage in (None, "contour"):
            first = own.first_stage()
            fit(CONTOUR, first, lambda: ContourTrainer(first, where, root), folder, where, root, overwrite=overwrite)
            if stage is not None:
                return contour
        if stage in (None, "masks"):
            if not contour.is_file():
                raise UsageError(f"{contour} is missing, and pseudo masks are chosen by it; run --stage contour first")
            split = load_split(own.split, root)
            things = boxed_objects(split if own.limit is None else split.first_images(own.limit))
            write_masks(things, contour, own.masks, masks, str(where), overwrite=overwrite)
            if stage is not None:
                return masks
        if not (masks / "head.json").is_file():
            raise UsageError(
                f"{masks} holds no pseudo masks, and the networks learn from them; run --stage masks first"
            )
        return fit(TABLE, own, lambda: CtsTrainer(own, masks, where, root), folder, where, root, overwrite=overwrite)


class TaughtBatch(NamedTuple):
    """This rank's part of a step.

    Attributes:
        images: uint8 ``(S, S, 3)`` each, which threads are reading.
        masks: bool ``(S, S)`` each, likewise.
        which: the image of each mask.
        texts: one for each mask.
        flips: of each image: whether it is mirrored left to right, and top to bottom.
    """

    images: list[Future[np.ndarray]]
    masks: list[Future[np.ndarray]]
    which: list[int]
    texts: list[str]
    flips: list[tuple[bool, bool]]


class CtsTrainer:
    """The two networks, for the loop; see :class:`baselines.train.fitting.RivalTrainer`."""

    def __init__(self, recipe: CtsRecipe, masks: Path, device: torch.device, root: Path | None):
        self._recipe, self._device = recipe, device
        networks = started(recipe).to(device).train()
        if recipe.channels_last:
            networks = networks.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.network: nn.Module = networks
        rates = recipe.rates
        self.optimiser: torch.optim.Optimizer = adamw(
            networks, rates.heads, rates.backbone, rates.weight_decay, fused=device.type == "cuda"
        )
        self.metadata: Mapping[str, str] = metadata_of(networks.config, recipe.start, text_learns=recipe.text_learns)
        split = load_split(recipe.split, root)
        split = split if recipe.limit is None else split.first_images(recipe.limit)
        refs, things, side = Refs(split), boxed_objects(split), networks.config.image_size
        self._refs = refs
        self._of_image: list[list[int]] = [[] for _ in refs.paths]
        for at, ref in enumerate(refs.refs):
            self._of_image[ref.image].append(at)
        self.an_epoch = max(1, len(refs.paths) // recipe.batch)
        self._length = networks.config.text_length
        self._images = Photographs(refs.paths, side)
        self._masks = Ahead(lambda at: nearest(read_mask(masks, things[at]), side), len(refs) * side * side)

    def start(self, step: int) -> TaughtBatch:
        """Begin to read the images and masks of a step, and draw its sentences."""
        recipe = self._recipe
        epoch, place = divmod(step, self.an_epoch)
        order = np.random.default_rng((recipe.seed, epoch)).permutation(len(self._of_image))
        chosen = np.resize(order[place * recipe.batch : (place + 1) * recipe.batch], recipe.batch)
        mine = chosen[rank() :: world()].tolist()
        refs, which, texts, flips = [], [], [], []
        for place, image in enumerate(mine):
            draw = np.random.default_rng((recipe.seed, epoch, image))
            turned = (bool(draw.random() < 0.5), bool(draw.random() < 0.5)) if recipe.mirror else (False, False)
            flips.append(turned)
            for at in np.resize(draw.permutation(self._of_image[image]), recipe.texts).tolist():
                own = self._refs.refs[at].texts
                refs.append(at)
                which.append(place)
                texts.append(turned_text(own[draw.integers(len(own))], turned))
        return TaughtBatch(self._images.start(mine), self._masks.start(refs), which, texts, flips)

    def losses(self, learner: Any, data: TaughtBatch, step: int) -> tuple[dict[str, Tensor], int]:
        """What each network learns, and the number of images."""
        recipe, device = self._recipe, self._device
        shown = [
            turned_array(one, flips) for one, flips in zip(self._images.take(data.images), data.flips, strict=True)
        ]
        images = normalised(np.stack(shown), device)
        masks = np.stack(
            [
                turned_array(mask, data.flips[place])
                for mask, place in zip(self._masks.take(data.masks), data.which, strict=True)
            ]
        )
        wanted = torch.from_numpy(masks).to(device)[:, None].float()
        if recipe.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        tokens = tokenize(data.texts, length=self._length).to(device)
        which = torch.tensor(data.which, device=device)
        with autocast(recipe.precision, device):
            first, second = learner(images, tokens, which)
        kept = kept_share(step, recipe.epochs * self.an_epoch, recipe.teaching)
        return co_teaching_losses(first, second, wanted, kept, recipe.weight), len(images)

    def rate(self, step: int, total: int) -> float:
        """The polynomial decay, every step."""
        return (1 - step / total) ** self._recipe.rates.power

    def method(self, weights: Path) -> Method:
        """CTS-style with these weights."""
        from .method import make

        return make(weights=str(weights), device=str(self._device))


def started(recipe: CtsRecipe) -> TwoNetworks:
    """Both networks before they learn: the same CLIP, and heads that are drawn by different seeds.

    Raises:
        UsageError: there is no file of a CLIP, or the recipe's network is no segmentation network.
        DataError: the file is no CLIP with a ResNet.
    """
    found = []
    find_clip(recipe.start, clip_advice(TABLE, option="--set start=FILE"))
    for number in range(2):
        torch.manual_seed(int(np.random.SeedSequence((recipe.seed, number)).generate_state(1)[0]))
        with building(TABLE):
            network = start(recipe.start, recipe.network)
        if not isinstance(network, Stage2):
            raise UsageError(f"{TABLE}.network.stage must be 2")
        freeze_unused(network, text_learns=recipe.text_learns)
        found.append(network)
    return TwoNetworks(*found)


def turned_text(text: str, flips: tuple[bool, bool]) -> str:
    """A sentence about the mirrored image."""
    for axis, turned in zip(("left-right", "top-bottom"), flips, strict=True):
        text = exchange(text, axis) if turned else text
    return text


def turned_array(pixels: np.ndarray, flips: tuple[bool, bool]) -> np.ndarray:
    """An image or a mask ``(H, W, …)``, mirrored left to right and top to bottom."""
    across, down = flips
    return pixels[:: -1 if down else 1, :: -1 if across else 1]


def nearest(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask at the networks' size, as TRIS's stage 2 resizes it: bool ``(side, side)``."""
    whole = torch.from_numpy(np.ascontiguousarray(mask)).float()[None, None]
    return (F.interpolate(whole, size=(side, side), mode="nearest")[0, 0] > 0.5).numpy()


train.recipes = names(TABLE, FOLDER)  # pyright: ignore[reportFunctionMemberAccess] - `list recipes` shows them
train.recipe_folder = FOLDER  # pyright: ignore[reportFunctionMemberAccess]
